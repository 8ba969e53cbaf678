"""Visits a site with the browser's cache off, and prints what happened, one line an event:

    visit STEP                               the next step begins
    response STATUS CACHE-STATUS URL         separated by tabs, like the rest
    failed REASON URL
    console TEXT                             an error or a warning
    value TEXT                               of EXPRESSION, evaluated once the page is loaded

    python3 visit.py URL EXPRESSION STEP...

A step is a path to go to, or one of reload, hard-reload and back.
"""

import sys
import time

import devtools

QUIET_S = 0.5


def say(*columns):
    cells = [str(column).replace("\t", " ").replace("\n", " ") for column in columns]
    print("\t".join(cells), flush=True)


def take_step(browser, url, step):
    if step == "reload":
        browser.call("Page.reload")
    elif step == "hard-reload":
        browser.call("Page.reload", ignoreCache=True)
    elif step == "back":
        history = browser.call("Page.getNavigationHistory")
        before = history["entries"][history["currentIndex"] - 1]
        browser.call("Page.navigateToHistoryEntry", entryId=before["id"])
    else:
        browser.call("Page.navigate", url=url + step)


class Visit:
    """Follows one navigation until the page is loaded and nothing is asked for any more."""

    def __init__(self):
        self.loaded = False
        self.pending = {}

    def take(self, method, parameters):
        request = parameters.get("requestId")
        if method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Network.requestWillBeSent":
            self.pending[request] = parameters["request"]["url"]
        elif method == "Network.responseReceived":
            response = parameters["response"]
            fields = {name.lower(): value for name, value in response["headers"].items()}
            say("response", response["status"], fields.get("cache-status", ""), response["url"])
        elif method == "Network.loadingFinished":
            self.pending.pop(request, None)
        elif method == "Network.loadingFailed":
            say("failed", parameters.get("errorText", ""), self.pending.pop(request, "?"))
        elif method == "Runtime.exceptionThrown":
            say("console", parameters["exceptionDetails"].get("text", ""))
        elif method == "Runtime.consoleAPICalled":
            if parameters["type"] in ("error", "warning", "assert"):
                say("console", [argument.get("value") for argument in parameters["args"]])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            say("console", parameters["entry"]["text"])

    def follow(self, browser, over):
        """Takes events until over(method) says so; method is None when nothing came for a while."""
        end = time.monotonic() + devtools.PATIENCE_S
        method = ""
        while not over(method) and time.monotonic() < end:
            method, parameters = browser.event(QUIET_S)
            if method is not None:
                self.take(method, parameters)


def watch(browser):
    """Has the tab report what happens in it, with its cache off."""
    for domain in ("Network", "Page", "Runtime", "Log"):
        browser.call(f"{domain}.enable")
    browser.call("Network.setCacheDisabled", cacheDisabled=True)


def main():
    url, expression, steps = sys.argv[1], sys.argv[2], sys.argv[3:]
    with devtools.Browser() as browser:
        watch(browser)
        for step in steps:
            say("visit", step)
            visit = Visit()
            take_step(browser, url, step)
            visit.follow(browser, lambda _: visit.loaded)
            say("value", browser.evaluate(expression))
            visit.follow(browser, lambda method: method is None and not visit.pending)


if __name__ == "__main__":
    main()
