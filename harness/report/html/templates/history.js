"use strict";
(() => {
  const form = document.getElementById("runs-filter");
  const table = document.getElementById("runs-table");
  if (!form || !table) return;
  const rows = [...table.tBodies[0].rows].map((row) => ({ row, text: row.textContent.toLowerCase() }));
  const count = document.getElementById("runs-count");

  const apply = () => {
    const wanted = new FormData(form);
    const text = wanted.get("text").trim().toLowerCase();
    const choices = ["scenario", "verdict", "stack"].map((name) => [name, wanted.get(name)]);
    let shown = 0;
    for (const { row, text: own } of rows) {
      const fits = choices.every(([name, value]) => !value || row.dataset[name] === value);
      row.hidden = !fits || !own.includes(text);
      shown += !row.hidden;
    }
    count.textContent = shown === rows.length ? `${shown} runs` : `${shown} of ${rows.length} runs`;
  };

  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  // A form has its new values only after the event.
  form.addEventListener("reset", () => setTimeout(apply, 0));
  form.hidden = false;
  apply();
})();
