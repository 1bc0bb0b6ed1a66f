"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const form = $("filter"), candidate = $("by-candidate"), text = $("by-text"), faults = $("by-faults");
  const groups = [...document.querySelectorAll(".candidate")];
  const dialogues = [...document.querySelectorAll("details.dialogue")];
  const words = new Map();
  const content = (node) => {
    if (!words.has(node)) words.set(node, node.textContent.toLowerCase());
    return words.get(node);
  };

  const filter = () => {
    const wanted = text.value.trim().toLowerCase();
    const active = wanted || candidate.value || faults.checked;
    let found = 0;
    for (const group of groups) {
      const mine = !candidate.value || group.dataset.candidate === candidate.value;
      let here = 0;
      for (const dialogue of group.querySelectorAll("details.dialogue")) {
        const fits = mine && (!faults.checked || "faults" in dialogue.dataset) && (!wanted || content(dialogue).includes(wanted));
        dialogue.hidden = !fits;
        here += fits;
        for (const turn of dialogue.querySelectorAll(".turn"))
          turn.classList.toggle("hit", Boolean(fits && wanted && content(turn).includes(wanted)));
      }
      group.hidden = here === 0;
      if (active && here) group.open = true;
      found += here;
    }
    $("found").textContent = active ? `${found} of ${dialogues.length} dialogues shown here fit` : "";
  };

  const reveal = () => {
    const target = $(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let node = target; node; node = node.parentElement) {
      node.hidden = false;
      if (node.tagName === "DETAILS") node.open = true;
    }
    target.scrollIntoView();
  };

  addEventListener("hashchange", reveal);
  if (form) {
    let timer;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, 150); });
    form.hidden = false;
    filter();
  }
  reveal();
})();
