"use strict";
// Everything is readable without this script: it sorts, filters and points out.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

for (const head of all("th[data-sort]")) {
  const button = document.createElement("button");
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const number = head.dataset.sort === "number";
    const before = head.getAttribute("aria-sort") ?? (number ? "ascending" : "descending");
    const now = before === "ascending" ? "descending" : "ascending";
    for (const other of all("th", head.parentNode)) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", now);
    const value = (row) => row.cells[head.cellIndex].dataset.value;
    const order = (a, b) => (number ? value(a) - value(b) : value(a).localeCompare(value(b)));
    const body = head.closest("table").tBodies[0];
    const sign = now === "ascending" ? 1 : -1;
    body.append(...[...body.rows].sort((a, b) => sign * order(a, b)));
  });
}

const filters = all("form select");
const shown = document.querySelector("#shown");

function filter() {
  let count = 0;
  for (const article of all("article")) {
    let some = false;
    for (const item of all("li", article)) {
      const fits = filters.every(({ id, value }) => !value || item.dataset[id] === value);
      item.hidden = !fits;
      some ||= fits && item.dataset.kind !== "right";
    }
    article.hidden = !some;
    count += some;
  }
  shown.textContent = `${count} shown`;
}

if (filters.length) {
  document.querySelector("form").hidden = false;
  for (const select of filters) select.addEventListener("change", filter);
  filter();
}

function point(item, on) {
  item.classList.toggle("hot", on);
  for (const mark of all("mark", item.closest("article"))) {
    if (mark.dataset.facts.split(" ").includes(item.dataset.fact)) mark.classList.toggle("hot", on);
  }
}

for (const item of all("article li")) {
  item.tabIndex = 0;
  for (const on of ["mouseenter", "focus"]) item.addEventListener(on, () => point(item, true));
  for (const off of ["mouseleave", "blur"]) item.addEventListener(off, () => point(item, false));
}
