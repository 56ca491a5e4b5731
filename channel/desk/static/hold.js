// The five seconds before a release by one person: counted down in sight, cancelled by leaving. The server counts as well:
// what comes before its time is not sent.

const shown = document.getElementById("holding");
const form = document.getElementById("held-form");
const button = document.getElementById("send-now");
const end = performance.now() + Number(shown.dataset.left);
let over = false;

const counting = Number(shown.dataset.left) > 0;
button.disabled = counting; // it goes by itself; who comes back later presses it
const stop = () => { over = true; };
document.getElementById("cancel").addEventListener("click", stop);
addEventListener("pagehide", stop);
document.getElementById("cancel").focus();

const timer = counting && setInterval(() => {
  const left = end - performance.now();
  shown.querySelector("b").textContent = String(Math.max(0, Math.ceil(left / 1000)));
  if (over) return void clearInterval(timer);
  if (left > 0) return;
  over = true;
  clearInterval(timer);
  form.submit();
}, 100);
