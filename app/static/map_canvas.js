export default function({ parentElement, data, setTriggerValue }) {
  const box = parentElement.querySelector(".scroll");
  if (box.drawn !== data.svg) {
    const held = parentElement.activeElement?.dataset?.go ?? box.getRootNode().activeElement?.dataset?.go;
    box.drawn = data.svg;
    box.innerHTML = data.svg;
    if (held) box.querySelector(`[data-go="${held}"]`)?.focus({ preventScroll: true });
    const chosen = box.querySelector(".chosen")?.getBoundingClientRect();
    const seen = box.getBoundingClientRect();
    if (chosen && (chosen.left < seen.left || chosen.right > seen.right)) {
      box.scrollLeft += (chosen.left + chosen.right - seen.left - seen.right) / 2;
    }
  }
  const go = (event) => {
    const target = event.target.closest?.("[data-go]");
    if (!target || (event.type === "keydown" && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    setTriggerValue("go", target.dataset.go);
  };
  box.onclick = go;
  box.onkeydown = go;
}
