// A map on its photo: how strong it lies there is chosen once for all maps, and the photo is alone while it is pressed.
const KEPT = "inceptionscope.map-strength", CHANGED = "inceptionscope-map-strength", USUAL = 85, SLIP = 8;

// Storage is closed in some browsers; then a choice lasts as long as the page.
let chosen = null;
const strength = () => {
  try { return Number(sessionStorage.getItem(KEPT) ?? chosen ?? USUAL); } catch { return chosen ?? USUAL; }
};
const choose = (value) => {
  chosen = value;
  try { sessionStorage.setItem(KEPT, value); } catch { /* the page knows */ }
  window.dispatchEvent(new Event(CHANGED));
};

export default function({ parentElement, data }) {
  const box = parentElement.querySelector(".drawing");
  if (box.drawn !== data.html) box.innerHTML = data.html;
  box.drawn = data.html;
  const figure = box.querySelector(".why-map"), stack = box.querySelector(".stack");
  const slider = box.querySelector(".strength"), button = box.querySelector(".alone");
  const follow = () => {
    slider.value = strength();
    stack.style.setProperty("--strength", strength() / 100);
  };
  slider.oninput = () => choose(slider.value);
  follow();
  let from = null;
  const alone = (on) => {
    figure.classList.toggle("bare", on);
    button.setAttribute("aria-pressed", on);
    if (!on) from = null;
  };
  const down = (event) => {
    if (event.button) return;
    from = [event.clientX, event.clientY];
    alone(true);
  };
  const up = () => alone(false);
  // A finger that scrolls the page does not ask for the photo.
  const moved = (event) => { if (from && Math.abs(event.clientY - from[1]) > SLIP && event.pointerType === "touch") up(); };
  for (const part of [stack, button]) {
    part.onpointerdown = down;
    part.onpointermove = moved;
    part.oncontextmenu = (event) => event.preventDefault();
  }
  button.onkeydown = (event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); alone(true); } };
  button.onkeyup = up;
  button.onblur = up;
  const ends = ["pointerup", "pointercancel", "blur"];
  for (const name of ends) window.addEventListener(name, up);
  window.addEventListener(CHANGED, follow);
  return () => {
    for (const name of ends) window.removeEventListener(name, up);
    window.removeEventListener(CHANGED, follow);
  };
}
