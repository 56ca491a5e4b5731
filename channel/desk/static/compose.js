// The form of a text: kept a moment after each change and when the page is left; the side beside it follows what is typed.
// Nothing here sends. Without scripts every button keeps the text all the same.

import { now, refresh } from "./desk.js";

const form = document.getElementById("writing");
const kept = document.getElementById("kept");
const beside = document.getElementById("beside");
const held = document.getElementById("held");
const timer = { keep: 0, look: 0 };
const state = { changed: false, over: Boolean(held.querySelector("[data-held=no]")), going: false };

const filled = () => {
  const data = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") data.append(name, value);
  return data;
};

async function keep(leaving = false) {
  clearTimeout(timer.keep);
  if (state.over || (!state.changed && !leaving)) return;
  const data = filled();
  if (leaving) data.set("leaving", "yes");
  if (state.changed) data.set("changed", "yes");
  state.changed = false;
  try {
    const answer = await fetch(`${form.getAttribute("action")}/save`, {
      method: "POST", body: data, credentials: "same-origin", keepalive: leaving && data.toString().length < 60000,
    });
    if (!answer.ok) throw new Error("refused");
    const told = await answer.json();
    if (told.kept) kept.textContent = form.dataset.saved.replace("{time}", told.kept);
    else stop(told.apart ? form.dataset.apart : told.held ? form.dataset.held : form.dataset.gone);
  } catch {
    state.changed = true;
    kept.textContent = form.dataset.unsaved;
  }
}

// Another window writes it, or it is gone: what stands here can be read and copied.
function stop(words) {
  state.over = true;
  for (const each of form.querySelectorAll("input, textarea")) each.readOnly = true;
  for (const each of form.querySelectorAll("button, select, input[type=radio], input[type=checkbox], input[type=file]")) each.disabled = true;
  if (held.querySelector("[data-held]")) return;
  const notice = document.createElement("div");
  notice.className = "notice warn";
  notice.setAttribute("role", "alert");
  notice.dataset.held = "no";
  notice.textContent = words;
  held.append(notice);
}

async function look() {
  if (state.over) return;
  try {
    const answer = await fetch(`${form.getAttribute("action")}/preview`, { method: "POST", body: filled(), credentials: "same-origin" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["beside", "needed"]) {
      const from = fresh.getElementById(id);
      if (from) document.getElementById(id)?.replaceChildren(...document.importNode(from, true).childNodes);
    }
  } catch { /* the next change looks again */ }
}

function count() {
  for (const each of form.querySelectorAll("[data-count]")) {
    const typed = [...document.getElementById(each.dataset.count).value.trim()].length;
    each.textContent = typed ? `${typed} / ${each.dataset.max}` : "";
    each.classList.toggle("over", typed > Number(each.dataset.max));
  }
}

function changed() {
  state.changed = true;
  count();
  clearTimeout(timer.keep);
  clearTimeout(timer.look);
  timer.keep = setTimeout(keep, 2000);
  timer.look = setTimeout(look, 500);
}

// Somebody may have typed before this script was there, or the browser put back what was typed.
function touched(each) {
  if (each.type === "hidden" || each.type === "file") return false;
  if (each.matches("select")) return each.selectedOptions[0] !== ([...each.options].find((o) => o.defaultSelected) ?? each.options[0]);
  return each.matches("[type=checkbox], [type=radio]") ? each.checked !== each.defaultChecked : each.value !== each.defaultValue;
}

form.addEventListener("input", (event) => { if (event.target.type !== "file") changed(); });
for (const each of form.querySelectorAll("[data-time]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = form.dataset.now;
  button.disabled = state.over;
  button.addEventListener("click", () => {
    each.value = new Date(now()).toISOString().slice(0, 16).replace("T", " ");
    each.dispatchEvent(new Event("input", { bubbles: true }));
  });
  each.after(" ", button);
}
form.addEventListener("submit", () => { state.going = true; clearTimeout(timer.keep); });
addEventListener("pagehide", () => { if (!state.going) keep(true); });
document.addEventListener("desk-state", (event) => { if (event.detail.locked) { keep(true); state.over = true; } });
addEventListener("pageshow", (event) => { if (event.persisted) { state.going = false; refresh(); } });
document.addEventListener("visibilitychange", () => { if (document.hidden && !state.going) keep(); });
new MutationObserver(() => { if (!state.over && held.querySelector("[data-held=no]")) stop(""); }).observe(held, { childList: true, subtree: true });
setInterval(refresh, 60000); // tells the desk that this window is still there
count();
if ([...form.querySelectorAll("input, select, textarea")].some(touched)) changed();
document.getElementById("wrong")?.focus();
