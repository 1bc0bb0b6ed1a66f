"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const table = $("board"), body = table.tBodies[0], rows = [...body.rows];
  const tools = $("tools"), text = $("by-text"), tier = $("by-tier"), controls = $("by-controls"), found = $("found");
  const heads = [...table.tHead.rows[0].cells];
  let sorted = { column: -1, up: false };

  const key = (row, column) => {
    const value = row.cells[column].dataset.v;
    if (value === undefined) return row.cells[column].textContent.trim().toLowerCase();
    return value === "" ? null : Number(value);
  };
  const sort = (column, up) => {
    sorted = { column, up };
    heads.forEach((head, i) => (i === column ? head.setAttribute("aria-sort", up ? "ascending" : "descending") : head.removeAttribute("aria-sort")));
    const compare = (a, b) => {
      const x = key(a, column), y = key(b, column);
      if (x === y) return rows.indexOf(a) - rows.indexOf(b);
      if (x === null) return 1;
      if (y === null) return -1;
      return (x < y ? -1 : 1) * (up ? 1 : -1);
    };
    body.append(...[...rows].sort(compare));
  };
  const filter = () => {
    const wanted = text.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = (!wanted || row.textContent.toLowerCase().includes(wanted)) && (!tier.value || row.dataset.tier === tier.value) && (controls.checked || !("control" in row.dataset));
      row.hidden = !fits;
      shown += fits;
    }
    found.textContent = `${shown} of ${rows.length} systems shown`;
  };
  const write = () => {
    const state = new URLSearchParams();
    if (sorted.column >= 0) state.set("sort", `${sorted.column}${sorted.up ? "a" : "d"}`);
    if (text.value) state.set("text", text.value);
    if (tier.value) state.set("tier", tier.value);
    if (!controls.checked) state.set("controls", "no");
    history.replaceState(null, "", `#${state}`);
  };
  const reveal = (target) => {
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    target.scrollIntoView();
  };
  const read = () => {
    const hash = decodeURIComponent(location.hash.slice(1));
    const target = hash && $(hash);
    if (target) return reveal(target);
    const state = new URLSearchParams(location.hash.slice(1));
    text.value = state.get("text") || "";
    tier.value = state.get("tier") || "";
    controls.checked = state.get("controls") !== "no";
    const order = /^(\d+)([ad])$/.exec(state.get("sort") || "");
    if (order && heads[order[1]]) sort(Number(order[1]), order[2] === "a");
    filter();
  };

  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => { sort(i, sorted.column === i && !sorted.up); write(); });
    head.append(button);
  });
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("input", () => { filter(); write(); });
  $("link").addEventListener("click", async () => {
    write();
    try { await navigator.clipboard.writeText(location.href); found.textContent = "Link to this view copied"; }
    catch { found.textContent = `Link to this view: ${location.href}`; }
  });
  addEventListener("hashchange", read);
  tools.hidden = false;
  filter();
  read();
})();
