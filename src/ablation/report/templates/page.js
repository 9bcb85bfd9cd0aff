const number = text => { const m = text.trim().replace("\u2212", "-").replaceAll(",", "").match(/^[+-]?[\d.]+(?:\s*([kMG])\b)?/);
  return m && !isNaN(parseFloat(m[0])) ? parseFloat(m[0]) * ({k: 1e3, M: 1e6, G: 1e9}[m[1]] || 1) : text.trim(); };
// Numbers by size, then texts; what has no number stays at the end, whichever way the column is sorted.
const order = (x, y, up) => typeof x !== typeof y ? (typeof x === "number" ? -1 : 1) : (up ? 1 : -1) * (typeof x === "number" ? x - y : x.localeCompare(y));
const sorted = (rows, text, up) => rows.map(row => [number(text(row)), row]).sort((a, b) => order(a[0], b[0], up)).map(pair => pair[1]);

function searchable(table, box) {
  // The data are read when they are first asked for: the page opens no slower for them.
  let data, found, shown = +box.dataset.shown;
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0], input = box.querySelector("input");
  const more = box.querySelector("button.more"), note = box.querySelector(".found");
  const load = () => { if (data) return;
    data = JSON.parse(box.querySelector("script").textContent);
    data.lower = data.texts.map(text => text.toLowerCase()); data.shaded = new Set(data.shaded); found = data.rows; };
  const draw = () => {
    body.replaceChildren(...found.slice(0, shown).map(row => { const line = document.createElement("tr");
      if (data.shaded.has(data.texts[row[0]])) line.className = "baseline";
      row.forEach((place, n) => { const cell = line.insertCell(); cell.className = heads[n].className; cell.textContent = data.texts[place]; });
      return line; }));
    more.hidden = found.length <= shown;
    note.textContent = `${found.length.toLocaleString("en")} found, ${Math.min(shown, found.length).toLocaleString("en")} shown`; };
  const search = () => { load();
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = data.rows.filter(row => words.every(word => row.some(place => data.lower[place].includes(word)))); shown = +box.dataset.shown; draw(); };
  input.addEventListener("input", search);
  more.hidden = false;
  more.addEventListener("click", () => { load(); shown *= 4; draw(); });
  return (column, up) => { load(); data.rows = sorted(data.rows, row => data.texts[row[column]], up); search(); };
}
for (const table of document.querySelectorAll("table.sortable")) {
  const box = table.closest(".searchable"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const sort = box ? searchable(table, box) : (column, up) => body.append(...sorted([...body.rows], row => row.cells[column].textContent, up));
  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      sort(head.cellIndex, up);
    });
  }
}

// What a link leads to may lie in something that is closed.
const reveal = () => { const goal = location.hash && document.getElementById(location.hash.slice(1));
  for (let one = goal; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  if (goal) goal.scrollIntoView(); };
addEventListener("hashchange", reveal);
reveal();

const contents = document.getElementById("contents"), wide = matchMedia("(min-width: 72rem)");
const fit = () => { contents.open = wide.matches; };
wide.addEventListener("change", fit);
fit();
contents.addEventListener("click", event => { if (event.target.tagName === "A") fit(); });
contents.addEventListener("keydown", event => { if (event.key === "Escape" && !wide.matches) { contents.open = false; contents.firstElementChild.focus(); } });

// On paper everything is open; afterwards as it was.
let closed = [];
addEventListener("beforeprint", () => { closed = [...document.querySelectorAll("details:not([open])")]; for (const one of closed) one.open = true; });
addEventListener("afterprint", () => { for (const one of closed) one.open = false; });
