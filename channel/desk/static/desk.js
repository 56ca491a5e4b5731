// What the page does while it is looked at: hears of changes, counts down, rings, and takes keys. Nothing here is needed
// to read, to acknowledge or to send; without scripts the same forms and links work.

import { heard } from "./sound.js";
import { keys } from "./keys.js";

const body = document.body;
const clock = { now: Number(body.dataset.now), at: performance.now() };
const state = { version: Number(body.dataset.version), fetching: false, again: false };

export const now = () => clock.now + (performance.now() - clock.at);

// --- changes: the page is fetched again and its live parts put in place; focus and what is being typed stay ---

// A browser opens few connections to one place: of all windows of a desk one listens and tells the others.
function listen() {
  const others = new BroadcastChannel("desk");
  let newest = null;
  others.onmessage = ({ data }) => (data === "ask" ? newest && others.postMessage(newest) : hear(data));
  others.postMessage("ask");
  navigator.locks.request("desk", () => new Promise((end) => {
    const source = new EventSource("/events");
    source.addEventListener("state", ({ data }) => { newest = JSON.parse(data); others.postMessage(newest); hear(newest); });
    addEventListener("pagehide", () => { source.close(); end(); });
  }));
}

function hear(told) {
  clock.now = told.now;
  clock.at = performance.now();
  heard(told);
  document.getElementById("idle").hidden = !told.warn;
  document.dispatchEvent(new CustomEvent("desk-state", { detail: told }));
  if (told.locked !== (body.dataset.locked === "yes")) return void (told.locked ? lockHere() : leaving || location.assign(document.querySelector("[name=next]")?.value ?? "/"));
  if (told.version !== state.version) { state.version = told.version; refresh(); }
}

// The locked page takes this one's place without leaving it: a page that was left would have to be touched to ring again.
async function lockHere() {
  const url = "/lock?next=" + encodeURIComponent(location.pathname + location.search);
  body.dataset.locked = "yes";
  try {
    const answer = await fetch(url, { redirect: "error" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    history.replaceState(null, "", url);
    document.title = fresh.title;
    Object.assign(body.dataset, fresh.body.dataset);
    body.replaceChildren(...document.importNode(fresh.body, true).childNodes);
  } catch { location.assign(url); }
}

let leaving = false; // a form is on its way: its answer says where to go on
addEventListener("submit", () => { leaving = true; setTimeout(() => { leaving = false; }, 10_000); });

export async function refresh() {
  if (state.fetching) { state.again = true; return; }
  state.fetching = true;
  try {
    const url = new URL(location.href);
    url.searchParams.set("part", "live");
    const answer = await fetch(url, { credentials: "same-origin", redirect: "manual" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (other && !sameText(part, other)) replace(part, other);
    }
    document.title = fresh.title;
    tick();
  } catch { /* the desk is gone, or the network of this machine: the next change asks again */ } finally {
    state.fetching = false;
    if (state.again) { state.again = false; refresh(); }
  }
}

const still = (html) => html.replace(/data-state="\w+"|<progress[^>]*>|<b>[^<]*<\/b>|class="here item"|class="item here"|value="[0-9a-f]{64}"/g, "");
const sameText = (a, b) => still(a.innerHTML) === still(b.innerHTML);

// How an element is found again after its part was replaced.
function placeOf(e) {
  const quoted = (name, value) => `[${name}="${CSS.escape(value)}"]`;
  if (e.id) return "#" + CSS.escape(e.id);
  if (e.dataset.item) return quoted("data-item", e.dataset.item);
  const item = e.closest("[data-item]"), within = item ? quoted("data-item", item.dataset.item) + " " : "";
  if (e.matches("a[href]")) return within + "a" + quoted("href", e.getAttribute("href"));
  if (e.matches("summary")) return e.parentElement.id ? `#${CSS.escape(e.parentElement.id)} > summary` : within + "summary";
  return e.name ? within + quoted("name", e.name) + (e.matches("button") ? quoted("value", e.value) : "") : within ? within.trim() : null;
}

function replace(part, other) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const place = focused && placeOf(focused);
  if (focused && focused.matches("input, textarea, select")) return; // somebody is typing there: the next change comes
  const open = [...part.querySelectorAll("details[open]")].map((d) => d.id).filter(Boolean);
  say(part, other);
  part.replaceChildren(...document.importNode(other, true).childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  const again = place && document.querySelector(place);
  if (again?.dataset.item) { again.tabIndex = -1; again.classList.add("here"); }
  again?.focus?.({ preventScroll: true });
}

// What is new is spoken: politely below urgent consultation, at once from there on. It never moves the focus.
function say(part, other) {
  const known = new Set([...part.querySelectorAll("[data-item]")].map((e) => e.dataset.item));
  const fresh = [...other.querySelectorAll("[data-item][data-spoken]")].filter((e) => !known.has(e.dataset.item));
  for (const each of fresh) {
    const where = each.dataset.urgent === "yes" ? "spoken-now" : "spoken";
    document.getElementById(where).textContent = each.dataset.spoken;
  }
}

// --- the time that is left ---

const pad = (n) => String(n).padStart(2, "0");
function clockwork(ms) {
  const s = Math.floor(Math.abs(ms) / 1000);
  return `${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}`;
}

const SILENT_MS = 16_000; // the desk says something every five seconds

function tick() {
  const at = now();
  document.getElementById("gone").hidden = performance.now() - clock.at < SILENT_MS;
  for (const each of document.querySelectorAll(".countdown[data-due]")) {
    const due = Number(each.dataset.due), since = Number(each.dataset.since);
    const part = Math.min(1, Math.max(0, (at - since) / (due - since)));
    const stage = due <= at ? "over" : part >= 0.8 ? "last" : part >= 0.5 ? "half" : "early";
    each.querySelector("b").textContent = (due > at ? body.dataset.left : body.dataset.over).replace("{clock}", clockwork(due - at));
    each.querySelector("progress").value = part * 100;
    if (stage !== each.dataset.state) {
      each.dataset.state = stage;
      const item = each.closest("[data-item]");
      const words = { half: body.dataset.half, last: body.dataset.last, over: body.dataset.due }[stage];
      if (item && words) document.getElementById("spoken").textContent = `${item.dataset.item}: ${words}`;
    }
  }
  for (const each of document.querySelectorAll("[data-clock] time")) {
    const iso = new Date(at).toISOString();
    each.dateTime = iso.slice(0, 19) + "Z";
    each.textContent = `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
  }
}

// --- a person at the page keeps the desk open: at most one word of it in half a minute ---

let worked = performance.now();
function atWork() {
  if (performance.now() - worked < 30_000 && document.getElementById("idle").hidden) return;
  worked = performance.now();
  document.getElementById("idle").hidden = true;
  fetch("/settings", { method: "HEAD" });
}

for (const act of ["keydown", "pointerdown", "compositionend"]) addEventListener(act, atWork, { passive: true });
keys();
listen();
setInterval(tick, 1000);
