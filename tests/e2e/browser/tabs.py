"""Keeps several tabs open, each at what it loaded, and does what it is told, a line a command:

    open URL             in a further tab, the first of which is 0; done when it is loaded
    do TAB EXPRESSION    evaluates it there

Prints `visit tabs` first, `value TEXT` when a command is done, and events as visit.py does. Ends
with its input, once nothing comes from the browser any more.
"""

import sys
import time

import devtools
import visit


def state_of(browser):
    try:
        return browser.evaluate("document.readyState + ' ' + location.href")
    except RuntimeError as error:  # the tab is on its way to another page
        return str(error)


def open_tab(browser, url):
    tab = browser.open_tab()
    visit.watch(browser)
    browser.call("Page.navigate", url=url)
    end = time.monotonic() + devtools.PATIENCE_S
    while (state := state_of(browser)) != f"complete {url}" and time.monotonic() < end:
        time.sleep(0.01)
    visit.say("value", state)
    return tab


def main():
    with devtools.Browser() as browser:
        visit.say("visit", "tabs")
        tabs = []
        for line in sys.stdin:
            command, rest = line.rstrip("\n").split(" ", 1)
            if command == "open":
                tabs.append(open_tab(browser, rest))
            else:
                tab, expression = rest.split(" ", 1)
                browser.select(tabs[int(tab)])
                visit.say("value", browser.evaluate(expression))
        visit.Visit().follow(browser, lambda method: method is None)


if __name__ == "__main__":
    main()
