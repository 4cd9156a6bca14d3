export default function({ parentElement, data, setTriggerValue }) {
  const spot = parentElement.querySelector(".spot"), img = spot.querySelector("img");
  if (img.getAttribute("src") !== data.src) img.src = data.src;
  img.width = data.width;
  img.height = data.height;
  img.alt = data.alt;
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  spot.onclick = (event) => {
    const box = img.getBoundingClientRect();
    setTriggerValue("spot", { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
  };
  spot.onkeydown = (event) => {
    if (!(event.key in moves)) return;
    event.preventDefault();
    setTriggerValue("spot", { step: moves[event.key] });
  };
}
