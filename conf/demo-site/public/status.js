// Shows what Perigee says of this page when it is asked for again.
fetch(location.pathname, { cache: "no-store" }).then((response) => {
  document.getElementById("status").textContent = response.headers.get("Cache-Status");
});
