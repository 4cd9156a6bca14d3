// A drawing of the network: one stop of the Tab key for all of it, arrow keys go to the next part in their direction.
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }, ASIDE = 3, NEAR = 0.5;

const middle = (part) => {
  const { left, right, top, bottom } = part.getBoundingClientRect();
  return [(left + right) / 2, (top + bottom) / 2];
};

// What lies nearest in a direction; going aside costs more than going on. Nothing where the drawing ends.
const next = (parts, from, [x, y]) => {
  const [startX, startY] = middle(from);
  let best = null, least = Infinity;
  for (const part of parts) {
    const [endX, endY] = middle(part), dx = endX - startX, dy = endY - startY;
    const on = dx * x + dy * y, aside = Math.abs(dx * y) + Math.abs(dy * x);
    if (part !== from && on > NEAR && on + ASIDE * aside < least) [best, least] = [part, on + ASIDE * aside];
  }
  return best;
};

export default function({ parentElement, data, setTriggerValue }) {
  const box = parentElement.querySelector(".scroll"), hint = parentElement.querySelector(".hint");
  const parts = () => [...box.querySelectorAll("[data-go]")];
  // The part that Tab comes to: the one that was there last, else the chosen one, else the first.
  const stop = (part) => {
    box.at = part?.dataset.go;
    for (const other of parts()) other.setAttribute("tabindex", other === part ? 0 : -1);
  };
  if (box.drawn !== data.svg) {
    const held = box.getRootNode().activeElement?.dataset?.go;
    box.drawn = data.svg;
    box.innerHTML = data.svg;
    const find = (name) => name && box.querySelector(`[data-go="${name}"]`);
    stop(find(box.at) || box.querySelector(".chosen [data-go], [data-go][aria-current]") || parts()[0]);
    if (held) find(held)?.focus({ preventScroll: true });
    const chosen = box.querySelector(".chosen")?.getBoundingClientRect();
    const seen = box.getBoundingClientRect();
    if (chosen && (chosen.left < seen.left || chosen.right > seen.right)) {
      box.scrollLeft += (chosen.left + chosen.right - seen.left - seen.right) / 2;
    }
  }
  const go = (event) => {
    const target = event.target.closest?.("[data-go]");
    if (!target) return;
    if (event.type === "keydown" && event.key in WAYS) {
      event.preventDefault();
      next(parts(), target, WAYS[event.key])?.focus();
      return;
    }
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    setTriggerValue("go", target.dataset.go);
  };
  box.onclick = go;
  box.onkeydown = go;
  const came = (event) => {
    const part = event.target.closest?.("[data-go]");
    if (part) stop(part);
  };
  box.addEventListener("focusin", came);
  // A hand's breadth of the network on a phone: what is left of it fades, and a line says so until one has scrolled.
  const look = () => {
    const left = box.scrollWidth - box.clientWidth - box.scrollLeft;
    box.classList.toggle("more", left > 4);
    // The line of the network, small enough, has no room for words. Words that were read keep their place: nothing may
    // move under a finger that comes down.
    hint.hidden = Boolean(box.querySelector("svg.line")) || box.scrollWidth <= box.clientWidth + 4;
    hint.classList.toggle("read", box.scrollLeft > 4);
  };
  const sizes = new ResizeObserver(look);
  sizes.observe(box);
  box.addEventListener("scroll", look, { passive: true });
  look();
  return () => {
    sizes.disconnect();
    box.removeEventListener("scroll", look);
    box.removeEventListener("focusin", came);
  };
}
