// The channel on the photo: the server's picture of the pinned one, or what the browser has painted of another one.
const SHOWN = "scope-module-shown", ANSWERED = "scope-module-answered";
// Milliseconds for which a step counts that the server has not answered yet.
const PATIENCE = 5000;
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

class Spot {
  constructor(box) {
    this.box = box;
    this.img = box.querySelector("img");
    this.canvas = box.querySelector("canvas");
    box.onclick = (event) => {
      const { left, top, width, height } = box.getBoundingClientRect();
      this.stepped = null;
      this.emit("spot", { x: (event.clientX - left) / width, y: (event.clientY - top) / height });
    };
    box.onkeydown = (event) => {
      if (!(event.key in MOVES)) return;
      event.preventDefault();
      // The place and not the step: of steps that come faster than answers the server may hear the last one only.
      this.at = this.at.map((value, axis) => Math.min(Math.max(value + MOVES[event.key][axis], 0), this.end[axis]));
      this.stepped = performance.now();
      this.emit("spot", { at: this.at });
    };
  }

  // The place that the server says, unless it answers a step from which others have gone on already.
  place({ at, end, unit }) {
    const same = this.unit && ["photo", "module", "node"].every((name) => unit[name] === this.unit[name]);
    const ahead = same && this.stepped !== null && performance.now() - this.stepped < PATIENCE;
    if (ahead && String(at) !== String(this.at)) return;
    [this.at, this.end, this.stepped] = [at, end, null];
  }

  show(data) {
    const { img, box } = this;
    this.place(data);
    this.unit = data.unit;
    if (img.getAttribute("src") !== data.src) img.src = data.src;
    img.width = data.width;
    img.height = data.height;
    img.alt = data.alt;
    box.style.setProperty("--across", data.width);
    box.style.setProperty("--down", data.height);
    // What was painted stays until the picture in its place can be seen.
    img.decode().catch(() => {}).finally(() => this.draw());
    window.dispatchEvent(new CustomEvent(ANSWERED, { detail: data.unit }));
  }

  hear({ detail }) {
    if (detail.photo !== this.unit.photo) return;
    this.seen = detail;
    this.draw();
  }

  draw() {
    const { seen, unit, canvas } = this;
    const other = seen?.paint && seen.module === unit.module
      && (seen.node !== unit.node || seen.channel !== unit.channel);
    if (!other && this.img.complete) canvas.hidden = true;
    if (!other) return;
    const painted = seen.paint();
    canvas.width = painted.width;
    canvas.height = painted.height;
    canvas.getContext("2d").drawImage(painted, 0, 0);
    canvas.setAttribute("aria-label", `${seen.title}, a first look`);
    canvas.hidden = false;
  }
}

export default function({ parentElement, data, setTriggerValue }) {
  const box = parentElement.querySelector(".spot");
  const spot = (box.spot ??= new Spot(box));
  spot.heard ??= (event) => spot.hear(event);
  window.addEventListener(SHOWN, spot.heard);
  spot.emit = setTriggerValue;
  spot.show(data);
  return () => window.removeEventListener(SHOWN, spot.heard);
}
