"use strict";
// The data is anybody's text: it becomes text nodes and attributes here, never markup.
const { tracks, listeners } = JSON.parse(document.getElementById("data").textContent);
const [ID, TITLE, ARTIST, GENRE, LANGUAGE, VALENCE, AROUSAL] = [0, 1, 2, 3, 4, 5, 6];
const SVG = "http://www.w3.org/2000/svg";

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function titled(track) {
  const named = element("bdi", track[TITLE] || track[ID], { dir: "auto" });
  if (track[LANGUAGE]) named.setAttribute("lang", track[LANGUAGE]);
  return named;
}

// -- covers: the hue from the feeling (or the genre), the kind of figure from the artist, its details from the id -----

function hash(text) { // FNV-1a, 32 bits
  let value = 2166136261;
  for (const character of text) value = Math.imul(value ^ character.codePointAt(0), 16777619);
  value = Math.imul(value ^ (value >>> 15), 2246822507);
  return (value ^ (value >>> 13)) >>> 0;
}

const FIGURES = {
  rings: (paint, draw) => {
    for (let ring = 0; ring < 4; ring++) {
      paint("circle", { cx: 20 + draw(24), cy: 20 + draw(24), r: 26 - 6 * ring, fill: ring % 2 ? "back" : "front", opacity: 0.8 });
    }
  },
  bars: (paint, draw) => {
    for (let bar = 0; bar < 9; bar++) {
      const height = 8 + draw(44);
      paint("rect", { x: 5 + 6.2 * bar, y: 32 - height / 2, width: 4, height, rx: 2, fill: "front" });
    }
  },
  petals: (paint, draw) => {
    const count = 5 + draw(6), length = 14 + draw(12);
    for (let petal = 0; petal < count; petal++) {
      const turn = `rotate(${(360 * petal) / count} 32 32)`;
      paint("ellipse", { cx: 32, cy: 32 - length / 1.6, rx: 4 + draw(4), ry: length / 1.6, fill: "front", opacity: 0.6, transform: turn });
    }
  },
  hills: (paint, draw) => {
    for (let hill = 0; hill < 3; hill++) {
      const y = 22 + 13 * hill, bend = y - 18 + draw(20);
      paint("path", { d: `M0 ${y}Q${10 + draw(22)} ${bend} 34 ${y}T64 ${y - draw(10)}V64H0z`, fill: "front", opacity: 0.35 + 0.2 * hill });
    }
  },
  dots: (paint, draw) => {
    for (let dot = 0; dot < 16; dot++) {
      paint("circle", { cx: 11 + 14 * (dot % 4), cy: 11 + 14 * (dot >> 2), r: 1.5 + draw(10) / 2, fill: "front" });
    }
  },
};

function cover(track) {
  let state = hash(track[ID]);
  const draw = (below) => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return (state >>> 8) % below; };
  const felt = track[VALENCE] !== null;
  // Once around the plane: happy is yellow, tense red, sad blue, calm green.
  const angle = felt ? (Math.atan2(track[AROUSAL], track[VALENCE]) * 180) / Math.PI : 0;
  const hue = felt ? (445 - 0.93 * ((angle + 360) % 360)) % 360 : hash(track[GENRE] || track[ARTIST] || track[ID]) % 360;
  const strength = felt ? 30 + 25 * (track[AROUSAL] + 1) : 42;
  const colours = { back: `hsl(${hue} ${strength}% 32%)`, front: `hsl(${(hue + 25) % 360} ${strength + 10}% 74%)` };
  const svg = shape("svg", { viewBox: "0 0 64 64", class: "cover", "aria-hidden": "true", focusable: "false" });
  const paint = (name, { fill, ...rest }) => svg.append(shape(name, { ...rest, fill: colours[fill] }));
  paint("rect", { width: 64, height: 64, fill: "back" });
  const kinds = Object.values(FIGURES);
  kinds[hash(track[ARTIST] || track[ID]) % kinds.length](paint, draw);
  return svg;
}

// -- the picker and the lists of who is picked -----------------------------------------------------------------------------

function place(number, below) {
  const track = tracks[number];
  const item = element("li"), words = element("div"), name = element("b");
  name.append(titled(track));
  words.append(name);
  if (track[ARTIST]) words.append(element("span", track[ARTIST], { dir: "auto" }));
  words.append(below);
  item.append(cover(track), words);
  return item;
}

function reason(source, because) {
  const line = element("span");
  if (because === null) line.textContent = source === "popularity" ? "popular with everybody" : `from ${source}`;
  else line.append("because of ", titled(tracks[because]));
  return line;
}

function show(listener) {
  const shown = document.getElementById("lists");
  const list = (title, places) => {
    const ordered = element("ol", undefined, { class: "places" });
    ordered.append(...places);
    return [element("h3", title), ordered];
  };
  const plays = (count) => element("span", `${count.toLocaleString("en")} plays`);
  shown.replaceChildren(
    ...list("Played most", listener.heard.map(([track, count]) => place(track, plays(count)))),
    ...listener.lists.flatMap(([title, places]) => list(title, places.map(([t, source, b]) => place(t, reason(source, b))))),
  );
  const said = document.getElementById("said");
  const counts = ` heard ${listener.tracks.toLocaleString("en")} tracks and gets ${listener.lists.length} lists.`;
  said.replaceChildren(element("bdi", listener.id, { dir: "auto" }), counts);
}

const picker = document.getElementById("listener");
if (picker) {
  const step = (by) => {
    picker.selectedIndex = (picker.selectedIndex + by + picker.options.length) % picker.options.length;
    show(listeners[picker.value]);
  };
  picker.addEventListener("change", () => show(listeners[picker.value]));
  document.getElementById("previous").addEventListener("click", () => step(-1));
  document.getElementById("next").addEventListener("click", () => step(1));
  show(listeners[picker.value]);
}

// -- created tracks: one sounds at a time, and a line over its piano roll shows where ----------------------------------------

const players = [...document.querySelectorAll("audio")];
for (const player of players) {
  const roll = player.parentElement.querySelector(".roll");
  const head = shape("path", { class: "head", d: "M0 0V999" });
  const follow = () => {
    const width = roll.viewBox.baseVal.width, { from, s } = player.dataset;
    head.setAttribute("transform", `translate(${Math.min(((player.currentTime + Number(from)) / s) * width, width)} 0)`);
    if (!player.paused) requestAnimationFrame(follow);
  };
  player.addEventListener("play", () => {
    for (const other of players) if (other !== player) other.pause();
    if (roll) { roll.append(head); follow(); }
  });
  if (roll) player.addEventListener("seeked", follow);
}

// -- pictures of tracks: the pointer and the arrow keys name a point -------------------------------------------------------

for (const explored of document.querySelectorAll(".explored")) {
  const svg = explored.querySelector("svg");
  const points = [...svg.querySelectorAll("circle")].map((circle) => ({
    circle, x: Number(circle.getAttribute("cx")), y: Number(circle.getAttribute("cy")),
  }));
  const named = explored.parentElement.querySelector(".named");
  let here = null;
  const go = (point) => {
    here?.circle.classList.remove("here");
    here = point;
    here.circle.classList.add("here");
    const track = tracks[here.circle.dataset.t];
    const about = [track[ARTIST], track[GENRE]].filter(Boolean).join(", ");
    named.replaceChildren(titled(track), about ? ` (${about})` : "");
  };
  const nearest = (x, y, among) => among.reduce(
    (best, point) => { const far = Math.hypot(point.x - x, point.y - y); return far < best.far ? { point, far } : best; },
    { point: null, far: Infinity },
  );
  const pointed = (event) => {
    const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
    const { point, far } = nearest((event.clientX - box.left) * scale, (event.clientY - box.top) * scale, points);
    if (point && far < 24) go(point);
  };
  explored.addEventListener("pointermove", pointed);
  explored.addEventListener("pointerdown", pointed);
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  explored.addEventListener("keydown", (event) => {
    const way = ways[event.key];
    if (!way || !points.length) return;
    event.preventDefault();
    if (!here) return go(nearest(200, 200, points).point);
    // The nearest of those that lie that way; what lies aside counts threefold.
    const along = (point) => (point.x - here.x) * way[0] + (point.y - here.y) * way[1];
    const aside = (point) => Math.abs((point.x - here.x) * way[1]) + Math.abs((point.y - here.y) * way[0]);
    const that = points.filter((point) => along(point) > 0);
    if (that.length) go(that.reduce((a, b) => (along(a) + 3 * aside(a) <= along(b) + 3 * aside(b) ? a : b)));
  });
}
