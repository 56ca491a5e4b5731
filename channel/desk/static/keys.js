// Keys. Enter never sends: in a field of a form it does nothing but what the field does with it, and Ctrl+Enter opens the
// review. No key acts while an input method composes. Single letters can be switched off, and are dead in fields.

const composing = (event) => event.isComposing || event.keyCode === 229;
const typing = (target) => target.matches("input, textarea, select, [contenteditable]");
let ended = 0; // some systems send the Enter that ends a composition after it
let chord = "";

export function keys() {
  addEventListener("compositionend", () => { ended = performance.now(); }, true);
  addEventListener("keydown", onKey, true);
}

function onKey(event) {
  if (composing(event) || performance.now() - ended < 50) {
    if (event.key === "Enter") event.stopImmediatePropagation();
    if (event.key === "Enter" && !event.target.matches("textarea")) event.preventDefault();
    return;
  }
  if (event.key === "Enter") return onEnter(event);
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) { chord = ""; return; }
  if (document.body.dataset.shortcuts !== "on" || event.key.length > 1) return;
  const pressed = chord ? `${chord} ${event.key}` : event.key;
  chord = "";
  if (event.key === "g" && pressed === "g") { chord = "g"; setTimeout(() => { chord = ""; }, 1500); return; }
  if (pressed === "j" || pressed === "k") return move(event, pressed === "j" ? 1 : -1);
  const target = find(pressed);
  if (!target) return;
  event.preventDefault();
  if (target.matches("input, textarea, select")) target.focus(); else target.click();
}

function onEnter(event) {
  const form = event.target.closest("form");
  if ((event.ctrlKey || event.metaKey) && form) {
    const review = form.querySelector("[data-review]");
    event.preventDefault();
    if (review) form.requestSubmit(review);
    return;
  }
  const field = event.target.matches("input:not([type=submit], [type=button], [type=checkbox], [type=radio], [type=file]), select");
  if ((field && !form?.matches("[data-enter]")) || event.target.closest("[data-sends]")) event.preventDefault();
}

function items() { return [...document.querySelectorAll("[data-item]")].filter((e) => e.offsetParent !== null); }

function here() { return document.activeElement?.closest?.("[data-item]") || document.querySelector("[data-item].here"); }

function move(event, step) {
  const all = items();
  if (!all.length) return;
  event.preventDefault();
  const at = all.indexOf(here());
  const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step))];
  all.forEach((e) => e.classList.toggle("here", e === next));
  next.tabIndex = -1;
  next.focus();
}

function find(key) {
  const wanted = `[data-key="${CSS.escape(key)}"]`;
  return here()?.querySelector(wanted) || document.querySelector(wanted);
}
