// The sound of what nobody has read: R one tone, P two, O three, Z without a pause. An exercise has another timbre. It goes
// on while the desk is locked. Browsers are silent until a person has done something here: then the button is not needed.
// Where there is no sound, the title changes, at most once a second.

const body = document.body;
const TONES = { R: 1, P: 2, O: 3, Z: 6 };
const EVERY = { R: 60, P: 30, O: 15, Z: 3 }; // seconds between two rounds
let audio = null;
let ringing = [];
let next = 0;
let title = null;
const notified = new Set();

export function enable() {
  audio ??= new AudioContext();
  return audio.resume();
}

// A browser that has seen a person on the page before this one lets this one ring as well.
enable();

function play(prec) {
  if (!audio || audio.state !== "running") return;
  const wave = document.documentElement.dataset.mode === "exercise" ? "triangle" : "square";
  const pitch = document.documentElement.dataset.mode === "exercise" ? 620 : 880;
  for (let n = 0; n < TONES[prec]; n += 1) {
    const start = audio.currentTime + n * 0.35;
    const tone = new OscillatorNode(audio, { type: wave, frequency: pitch });
    const gain = new GainNode(audio, { gain: 0 });
    gain.gain.setTargetAtTime(0.15, start, 0.01);
    gain.gain.setTargetAtTime(0, start + 0.22, 0.02);
    tone.connect(gain).connect(audio.destination);
    tone.start(start);
    tone.stop(start + 0.35);
  }
  document.dispatchEvent(new CustomEvent("desk-rang", { detail: prec }));
}

const highest = () => ringing.map((r) => r.prec).sort((a, b) => "ZOPR".indexOf(a) - "ZOPR".indexOf(b))[0];

export function heard(told) {
  ringing = told.rings;
  for (const ring of ringing) notify(ring);
  const numbers = new Set(ringing.map((r) => r.number));
  for (const number of notified) if (!numbers.has(number)) notified.delete(number);
}

// Channel, mode, level and number; never what a message says.
function notify(ring) {
  if (notified.has(ring.number)) return;
  notified.add(ring.number);
  next = 0;
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const words = document.querySelector(`[data-level-word="${ring.level}"]`)?.textContent ?? ring.level;
  new Notification(`${body.dataset.modeWords} · ${body.dataset.channel}`, { body: `${ring.number} · ${words}`, tag: ring.number });
}

function round() {
  const seconds = performance.now() / 1000;
  if (ringing.length && body.dataset.sound === "on" && seconds >= next) {
    next = seconds + EVERY[highest()];
    play(highest());
  }
  if (ringing.length) {
    title ??= document.title;
    document.title = document.title.startsWith("● ") ? title : `● ${ringing.length} · ${title}`;
  } else if (title !== null) { document.title = title; title = null; }
}

setInterval(round, 1000);
addEventListener("pointerdown", enable, { once: true });
addEventListener("keydown", enable, { once: true });
for (const button of document.querySelectorAll("[data-sound-test]")) {
  button.addEventListener("click", async () => {
    await enable();
    play(button.dataset.soundTest);
    if ("Notification" in window && Notification.permission === "default") Notification.requestPermission();
  });
}

const notifyState = document.querySelector("[data-notify-state]");
const tellNotify = () => { if (notifyState && "Notification" in window) notifyState.textContent = notifyState.dataset[Notification.permission]; };
tellNotify();
document.querySelector("[data-notify]")?.addEventListener("click", async () => {
  if ("Notification" in window) await Notification.requestPermission();
  tellNotify();
});
