// The shell of the site: it shows one route at a time, and fetches each when it is first shown.
import { h, render } from "preact";
import shell from "./app.css";

const routes = {
  guide: () => import("./guide.js"),
  calendar: () => import("./calendar.js"),
  search: () => import("./search.js"),
  picture: () => import("./picture.js"),
};

function styled(sheet) {
  return new Promise((resolve, reject) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.onload = resolve;
    link.onerror = () => reject(new Error(`no stylesheet ${sheet}`));
    link.href = sheet;
    document.head.append(link);
  });
}

const ready = styled(shell);

// What the route's script, its stylesheet and the shell's say of their release; and what it shows.
window.show = async (name) => {
  await ready;
  const route = await routes[name]();
  await styled(route.sheet);
  const page = document.getElementById("page");
  page.textContent = "";
  render(h(route.Page), page);
  await Promise.all([...document.images].map((image) => image.decode()));
  const style = getComputedStyle(page);
  const said = (property) => style.getPropertyValue(property).trim();
  return [route.release, said(`--${name}`), said("--shell"), page.textContent].join(" ");
};
