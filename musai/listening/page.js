"use strict";
const { test, pairs, seconds } = JSON.parse(document.getElementById("data").textContent);
const KEY = `musai-listening-${test}`;
const ENOUGH = Math.min(5, seconds / 2); // seconds of each clip that are to be heard before a choice counts
const part = (id) => document.getElementById(id);
const sides = ["a", "b"];

// A rater's own numbers, from the name: the same order after the page was closed and opened again (mulberry32).
function numbers(name) {
  let state = 2166136261;
  for (const character of name) state = Math.imul(state ^ character.charCodeAt(0), 16777619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

function begun() {
  const name = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { rater: name, answers: [] };
}

function stored() {
  try { return JSON.parse(localStorage.getItem(KEY)); } catch { return null; } // storage may be forbidden
}

function store() {
  try { localStorage.setItem(KEY, JSON.stringify(rated)); } catch { /* then they last as long as the page is open */ }
}

let rated = stored() ?? begun(), order = [], heard = {};

function dealt() {
  const draw = numbers(rated.rater);
  const mixed = pairs.map((pair) => (draw() < 0.5 ? pair : [pair[1], pair[0]]));
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(draw() * (last + 1));
    [mixed[last], mixed[other]] = [mixed[other], mixed[last]];
  }
  return mixed;
}

function only(shown) {
  for (const id of ["start", "trial", "end"]) part(id).hidden = id !== shown;
}

function show() {
  const place = rated.answers.length;
  if (place === order.length) return finish();
  only("trial");
  part("place").textContent = `Pair ${place + 1} of ${order.length}`;
  part("progress").value = place / order.length;
  part("hint").textContent = "";
  heard = { a: 0, b: 0 };
  sides.forEach((side, number) => {
    part(side).src = `clips/${order[place][number]}.ogg`;
    document.querySelector(`input[value="${side}"]`).checked = false;
  });
  part("place").focus();
}

function answered(event) {
  event.preventDefault();
  const chosen = document.querySelector("input[name=chosen]:checked")?.value;
  const unheard = sides.filter((side) => heard[side] < ENOUGH);
  if (unheard.length) {
    part("hint").textContent = `Listen to ${unheard.map((side) => side.toUpperCase()).join(" and ")} first.`;
  } else if (!chosen) {
    part("hint").textContent = "Choose A or B.";
  } else {
    const [a, b] = order[rated.answers.length];
    const [yes, no] = chosen === "a" ? [a, b] : [b, a];
    rated.answers.push([yes, no, chosen, heard.a.toFixed(1), heard.b.toFixed(1)]);
    store();
    for (const side of sides) part(side).pause();
    show();
  }
}

function finish() {
  only("end");
  const lines = [["test", "rater", "chosen", "other", "side", "heard_a_s", "heard_b_s"],
    ...rated.answers.map((answer) => [test, rated.rater, ...answer])];
  const link = part("answers");
  link.href = URL.createObjectURL(new Blob([lines.map((line) => `${line.join(",")}\n`).join("")], { type: "text/csv" }));
  link.download = `answers-${rated.rater}.csv`;
  part("thanks").focus();
}

for (const side of sides) {
  let before = 0;
  part(side).addEventListener("play", () => { part(side === "a" ? "b" : "a").pause(); before = part(side).currentTime; });
  part(side).addEventListener("volumechange", () => { // both are to be as loud as each other
    const { volume, muted } = part(side);
    Object.assign(part(side === "a" ? "b" : "a"), { volume, muted });
  });
  part(side).addEventListener("seeking", () => { before = part(side).currentTime; }); // what is skipped is not heard
  part(side).addEventListener("timeupdate", () => {
    const now = part(side).currentTime;
    if (now > before) heard[side] += now - before;
    before = now;
  });
}
part("begin").addEventListener("click", () => { order = dealt(); store(); show(); });
document.querySelector("form").addEventListener("submit", answered);
part("again").addEventListener("click", () => { rated = begun(); store(); order = dealt(); only("start"); });
if (rated.answers.length) part("begin").textContent = "Go on";
