// One number's computation, played or walked step by step; under the mouse and on keys each square says its values.
const REST = 1800, COUNT = 900;
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const say = (value) => {
  const size = Math.abs(value);
  const short = size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(3)));
  return short.replace("-", "−");
};

class Grid {
  constructor(box, data) {
    Object.assign(this, data, { box, mark: box.querySelector("i"), read: box.nextElementSibling, count: data.values.length });
    const products = this.values.map((value, i) => Math.abs(value * (this.weights?.[i] ?? 1)));
    this.at = products.reduce((best, size, i) => (size > products[best] ? i : best), 0);
    box.onpointermove = box.onpointerdown = (event) => this.point(event);
    box.onpointerleave = () => { this.mark.hidden = box.getRootNode().activeElement !== box; };
    box.onfocus = () => { this.tell(); this.mark.hidden = false; };
    box.onblur = () => { this.mark.hidden = true; };
    box.onkeydown = (event) => this.key(event);
    this.tell();
  }

  // Column and row of a value among the cells, and back; -1 between tiles.
  cellOf(at) {
    const { side, across, gap } = this, tile = Math.floor(at / (side * side)), place = at % (side * side);
    return [(tile % across) * (side + gap) + (place % side),
      Math.floor(tile / across) * (side + gap) + Math.floor(place / side)];
  }

  valueAt(column, row) {
    const { side, across, gap } = this, pitch = side + gap, x = column % pitch, y = row % pitch;
    const tile = Math.floor(row / pitch) * across + Math.floor(column / pitch);
    const at = tile * side * side + y * side + x;
    return x < side && y < side && column >= 0 && row >= 0 && column < this.columns && at < this.count ? at : -1;
  }

  point(event) {
    const { left, top, width, height } = this.box.getBoundingClientRect();
    const at = this.valueAt(Math.floor((event.clientX - left) / width * this.columns),
      Math.floor((event.clientY - top) / height * this.rows));
    if (at < 0) return;
    this.at = at;
    this.tell();
    this.mark.hidden = false;
  }

  key(event) {
    const moves = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    let next = { Home: 0, End: this.count - 1 }[event.key] ?? -1;
    if (event.key in moves) {
      const [across, down] = moves[event.key], [column, row] = this.cellOf(this.at);
      next = this.valueAt(column + across, row + down);
      if (next < 0) next = this.valueAt(column + across * (1 + this.gap), row + down * (1 + this.gap));
    } else if (next < 0) return;
    event.preventDefault();
    event.stopPropagation();
    if (next >= 0) this.at = next;
    this.tell();
    this.mark.hidden = false;
  }

  tell() {
    const { at, values, weights, side, box, mark } = this, place = this.places[at % (side * side)];
    const name = this.names[Math.floor(at / (side * side))] + (place ? `, ${place}` : "");
    const text = weights ? `${say(values[at])} × ${say(weights[at])} = ${say(values[at] * weights[at])}` : say(values[at]);
    this.read.textContent = `${text} · ${name}`;
    box.setAttribute("aria-valuenow", at);
    box.setAttribute("aria-valuetext", this.read.textContent);
    const [column, row] = this.cellOf(at);
    mark.style.left = `${column / this.columns * 100}%`;
    mark.style.top = `${row / this.rows * 100}%`;
    mark.style.width = `${100 / this.columns}%`;
    mark.style.height = `${100 / this.rows}%`;
  }
}

class Computation {
  constructor(root, data) {
    this.root = root;
    this.given = data.html;
    root.innerHTML = data.html;
    this.steps = [...root.querySelectorAll("li")];
    [...root.querySelectorAll(".grid")].forEach((box, i) => new Grid(box, data.grids[i]));
    this.button = root.querySelector("[data-do=play]");
    const does = { back: () => this.walk(-1), next: () => this.walk(1), play: () => this.press() };
    for (const button of root.querySelectorAll("button")) button.onclick = does[button.dataset.do];
    root.querySelector(".keys").onkeydown = (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      this.walk(by);
    };
    this.whole();
  }

  // All of it at once, as it is before somebody plays it.
  whole() {
    this.at = this.steps.length;
    this.steps.forEach((step) => step.classList.remove("now", "later", "plays"));
    this.root.querySelector(".at").textContent = `${this.steps.length} steps`;
  }

  walk(by) {
    this.stop();
    const begun = this.steps.some((step) => step.classList.contains("now"));
    this.go(begun ? this.at + by : by > 0 ? 1 : this.steps.length - 1);
  }

  // Where nothing may move, each press is one step.
  press() {
    if (this.timer) return this.stop();
    this.go(this.at >= this.steps.length ? 1 : this.at + 1);
    if (still()) return;
    this.timer = setInterval(() => {
      this.go(this.at + 1);
      if (this.at >= this.steps.length) this.stop();
    }, REST);
    this.button.textContent = "Pause";
  }

  stop() {
    clearInterval(this.timer);
    this.timer = undefined;
    this.button.textContent = "Play";
  }

  go(step) {
    this.at = Math.max(1, Math.min(this.steps.length, step));
    this.steps.forEach((each, i) => {
      each.classList.toggle("later", i >= this.at);
      each.classList.toggle("now", i === this.at - 1);
      each.classList.toggle("plays", i === this.at - 1 && !still());
    });
    const now = this.steps[this.at - 1];
    this.root.querySelector(".at").textContent = `Step ${this.at} of ${this.steps.length}`;
    now.scrollIntoView({ block: "nearest", behavior: still() ? "auto" : "smooth" });
    if (!still()) now.querySelectorAll("[data-count]").forEach((place) => count(place));
  }
}

// Counts from zero up to the number that stands there.
function count(place) {
  const text = (place.told ??= place.textContent), begun = performance.now();
  const end = Number(text.replace("−", "-").replaceAll(",", "")), whole = Number.isInteger(end);
  const turn = (place.turn = (place.turn ?? 0) + 1);
  place.ariaBusy = "true";
  const draw = (now) => {
    if (place.turn !== turn) return;
    const share = Math.min(Math.max((now - begun) / COUNT, 0), 1);
    place.textContent = share === 1 ? text
      : whole ? Math.round(end * share).toLocaleString("en-US") : say(end * share);
    if (share < 1) requestAnimationFrame(draw);
    else place.ariaBusy = null;
  };
  requestAnimationFrame(draw);
}

export default function({ parentElement, data }) {
  const root = parentElement.querySelector(".computation");
  if (root.computation?.given !== data.html) {
    root.computation?.stop();
    root.computation = new Computation(root, data);
  }
  return () => root.computation.stop();
}
