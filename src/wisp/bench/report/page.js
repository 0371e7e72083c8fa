"use strict";
// The page works without this script but for the picture wall; everything is built with textContent, never as HTML.

// Charts: a chip hides its codec in all of them; a point tells its numbers.
for (const chip of document.querySelectorAll(".chip")) {
  const series = chip.dataset.series;
  if (series !== "published") chip.style.setProperty("--c", `var(--s${series})`);
  chip.addEventListener("click", () => {
    const isOn = chip.getAttribute("aria-pressed") !== "true";
    chip.setAttribute("aria-pressed", String(isOn));
    for (const part of document.querySelectorAll(`.series[data-series="${series}"]`)) part.classList.toggle("off", !isOn);
  });
}

const note = document.getElementById("note");
for (const spot of document.querySelectorAll(".hit")) {
  const show = () => {
    note.textContent = spot.dataset.note;
    note.hidden = false;
    const box = spot.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.left + box.width / 2 - note.offsetWidth / 2), innerWidth - note.offsetWidth - 8);
    const above = box.top - note.offsetHeight - 6;
    note.style.left = `${left}px`;
    note.style.top = `${above > 4 ? above : box.bottom + 6}px`;
  };
  spot.addEventListener("pointerenter", show);
  spot.addEventListener("click", show);
  spot.addEventListener("pointerleave", () => { note.hidden = true; });
}
addEventListener("scroll", () => { note.hidden = true; }, { passive: true });

// Tables: a heading sorts, numbers as numbers, what is missing always last.
function cellValue(row, column) {
  const text = row.cells[column].textContent.trim();
  if (text === "-" || text.startsWith("cannot")) return null;
  const plain = text.replaceAll("−", "-").replaceAll(",", "");
  const number = parseFloat(plain);
  return /^[-+]?[\d.]/.test(plain) && !Number.isNaN(number) ? number : text;
}
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      const body = table.tBodies[0];
      const keyed = [...body.rows].map((row) => [cellValue(row, column), row]);
      keyed.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b)));
      body.append(...keyed.map(([, row]) => row));
    });
  });
}

const filter = document.getElementById("budget-filter");
if (filter) {
  filter.parentElement.hidden = false;
  filter.addEventListener("change", () => {
    for (const row of document.querySelectorAll("tr[data-budget]")) {
      row.hidden = filter.value !== "" && row.dataset.budget !== filter.value;
    }
  });
}

// The picture wall.
const source = document.getElementById("wall-data");
if (source) startWall(JSON.parse(source.textContent));

function startWall(data) {
  const byId = (name) => document.getElementById(`wall-${name}`);
  const [frame, empty, badge, caption, tiles, hold] = ["frame", "empty", "badge", "caption", "tiles", "hold"].map(byId);
  const view = document.createElement("img");
  frame.prepend(view);
  const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;
  const entries = [{ name: null, label: "original" }, ...data.codecs];
  let current = 1; // of entries
  let isHolding = false;

  function shotOf(entry) {
    const picture = data.pictures.find(({ name }) => name === chosen("wall-picture"));
    const original = { src: picture.original, text: "The original." };
    return entry.name === null ? original : picture.shots[chosen("wall-budget")][entry.name];
  }

  const buttons = entries.map(({ label }, index) => {
    const tile = document.createElement("button");
    tile.type = "button";
    tile.className = "tile";
    tile.setAttribute("role", "radio");
    const name = document.createElement("span");
    name.textContent = label;
    tile.append(document.createElement("i"), name);
    tile.addEventListener("click", () => { current = index; draw(); });
    tiles.append(tile);
    return tile;
  });

  function draw() {
    const entry = isHolding ? entries[0] : entries[current];
    const shot = shotOf(entry);
    const title = entry.name === null ? "original" : `${entry.label}, ${chosen("wall-budget")} bpp`;
    view.hidden = !shot.src;
    empty.hidden = Boolean(shot.src);
    if (shot.src) view.src = shot.src;
    view.alt = `${chosen("wall-picture")}: ${title}`;
    empty.textContent = shot.text;
    badge.textContent = title;
    caption.textContent = entry.name === null ? shot.text : `${entry.label}: ${shot.text}`;
    buttons.forEach((tile, index) => {
      tile.setAttribute("aria-checked", String(index === current));
      tile.tabIndex = index === current ? 0 : -1;
    });
  }

  // The small pictures change with picture and budget only.
  function drawTiles() {
    buttons.forEach((tile, index) => {
      const shot = shotOf(entries[index]);
      const small = document.createElement(shot.src ? "img" : "div");
      if (shot.src) {
        small.src = shot.src;
        small.alt = "";
      } else {
        small.className = "tile-empty";
        small.textContent = "cannot get that small";
      }
      tile.firstChild.replaceWith(small);
    });
    draw();
  }

  function step(name, by) {
    const radios = [...document.querySelectorAll(`input[name="${name}"]`)];
    const now = radios.findIndex((radio) => radio.checked);
    radios[Math.min(Math.max(now + by, 0), radios.length - 1)].checked = true;
    drawTiles();
  }
  function turn(by) {
    current = (current + by + entries.length) % entries.length;
    draw();
  }
  function keep(isHeld) {
    if (isHolding === isHeld) return;
    isHolding = isHeld;
    hold.setAttribute("aria-pressed", String(isHeld));
    draw();
  }

  const acts = {
    ArrowRight: () => turn(1),
    ArrowLeft: () => turn(-1),
    ArrowUp: () => step("wall-budget", 1),
    ArrowDown: () => step("wall-budget", -1),
  };
  function onKey(event, more = {}) {
    const act = { ...acts, ...more }[event.key];
    if (!act || event.altKey || event.ctrlKey || event.metaKey) return false;
    event.preventDefault();
    act();
    return true;
  }
  frame.addEventListener("keydown", (event) => onKey(event, { " ": () => keep(true) }));
  tiles.addEventListener("keydown", (event) => { if (onKey(event)) buttons[current].focus(); });
  hold.addEventListener("keydown", (event) => onKey(event, { " ": () => keep(true), Enter: () => keep(true) }));
  addEventListener("keyup", () => keep(false));
  addEventListener("blur", () => keep(false));
  for (const holder of [frame, hold]) {
    holder.addEventListener("pointerdown", () => keep(true));
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) holder.addEventListener(end, () => keep(false));
  }
  for (const radio of document.querySelectorAll('input[name="wall-picture"], input[name="wall-budget"]')) {
    radio.addEventListener("change", drawTiles);
  }
  drawTiles();
}
