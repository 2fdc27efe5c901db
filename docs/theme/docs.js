// Search over the index that the build makes: every word must begin a word of a section; its title counts most.
"use strict";
const root = document.currentScript.dataset.root;
const form = document.querySelector("[role=search]");
const field = form.querySelector("input");
const list = form.querySelector("ol");
const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
let sections;

const read = () =>
  (sections ??= fetch(`${root}/search/search_index.json`)
    .then((answer) => answer.json())
    .then((index) => index.docs.map((one) => ({ ...one, heads: words(one.title), rest: words(one.text) }))));

const worth = (section, wanted) => {
  let sum = 0;
  for (const word of wanted) {
    const in_head = section.heads.some((one) => one.startsWith(word));
    const in_text = section.rest.filter((one) => one.startsWith(word)).length;
    if (!in_head && !in_text) return 0;
    sum += (in_head ? 20 : 0) + Math.min(in_text, 5);
  }
  return sum;
};

const entry = (section) => {
  const item = document.createElement("li");
  const link = item.appendChild(document.createElement("a"));
  link.href = `${root}/${section.location}`;
  link.textContent = section.title;
  item.appendChild(document.createElement("small")).textContent = section.text.replaceAll(/(^| )# /g, " ").slice(0, 120);
  return item;
};

const search = async () => {
  const wanted = words(field.value);
  const all = await read();
  const found = all.map((one) => [worth(one, wanted), one]).filter(([sum]) => sum > 0);
  found.sort((one, other) => other[0] - one[0]);
  list.replaceChildren(...found.slice(0, 12).map(([, one]) => entry(one)));
  if (wanted.length && !found.length) list.append("Nothing found.");
  list.hidden = !wanted.length;
};

form.hidden = false;
field.addEventListener("focus", read, { once: true });
field.addEventListener("input", search);
form.addEventListener("submit", (event) => { event.preventDefault(); list.querySelector("a")?.click(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") list.hidden = true; });
