"use strict";
// Gathers the ticked proposals into a file; nothing leaves the page.
const boxes = [...document.querySelectorAll("input[type=checkbox]")];
const save = document.querySelector("#save");
const count = document.querySelector("#count");

function gather() {
  const lines = boxes.filter((box) => box.checked).map((box) => box.dataset.line);
  count.textContent = lines.length;
  if (save.href.startsWith("blob:")) URL.revokeObjectURL(save.href);
  const text = lines.map((line) => line + "\n").join("");
  save.href = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
}

function tick(all) {
  for (const box of boxes) box.checked = all;
  gather();
}

document.querySelector("#all").addEventListener("click", () => tick(true));
document.querySelector("#none").addEventListener("click", () => tick(false));
for (const box of boxes) box.addEventListener("change", gather);
gather();
