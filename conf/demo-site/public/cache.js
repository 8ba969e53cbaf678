// Asks for each part of this page again and shows what Perigee says of it.
const parts = ["/", "/style.css", "/cache.js", "/orbit.svg", "/moon.png", "/dejavu.ttf"];

async function ask(path) {
  const begun = performance.now();
  const response = await fetch(path, { cache: "no-store" });
  await response.arrayBuffer();
  const status = response.headers.get("Cache-Status") ?? "";
  const row = document.createElement("tr");
  row.className = status.includes("; hit") ? "hit" : "miss";
  const ms = (performance.now() - begun).toFixed(1);
  for (const text of [path, response.status, response.headers.get("Age") ?? "", status, ms]) {
    row.insertCell().textContent = text;
  }
  return row;
}

async function askForAll() {
  const rows = [];
  for (const path of parts) rows.push(await ask(path));
  document.getElementById("answers").replaceChildren(...rows);
}

async function purgeAll() {
  for (const path of parts) await fetch(path, { method: "PURGE" });
  await askForAll();
}

document.getElementById("again").addEventListener("click", askForAll);
document.getElementById("purge").addEventListener("click", purgeAll);
askForAll();
