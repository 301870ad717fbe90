"use strict";
const form = document.getElementById("filters");
const body = document.querySelector("tbody");
const rows = [...body.rows];
const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
const collator = new Intl.Collator();
const value = (id) => document.getElementById(id).value;

function filter() {
  const text = value("text").toLowerCase();
  const [verdict, rule, producer] = ["verdict", "rule", "producer"].map(value);
  let shown = 0;
  for (const row of rows) {
    const fits =
      (!verdict || row.dataset.verdict === verdict) &&
      (!rule || row.dataset.rule.split(" ").includes(rule)) &&
      (!producer || row.dataset.producer === producer) &&
      texts.get(row).includes(text);
    row.hidden = !fits;
    shown += fits;
  }
  document.getElementById("count").textContent = `${shown} of ${rows.length} models`;
}

function sort(button) {
  const head = button.parentElement;
  const column = head.cellIndex;
  const ascending = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const key = (row) => {
    const cell = row.cells[column];
    const text = cell.dataset.sort ?? (cell.querySelector("summary") ?? cell).textContent;
    return button.dataset.kind === "number" ? Number(text) : text;
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));
  const keyed = rows.map((row) => [key(row), row]);
  keyed.sort(([a], [b]) => (ascending ? compare(a, b) : compare(b, a)));
  body.append(...keyed.map(([, row]) => row));
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => sort(button));
}
addEventListener("beforeprint", () => {
  for (const row of rows) for (const each of row.querySelectorAll("details")) each.open = true;
});
filter();
