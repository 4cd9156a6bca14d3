// One node of a module as a canvas of its channels, which can be hovered, walked and picked.
const SMALL = 560;
const EMPTY = "rgb(128 128 128 / 16%)";  // where there is no tile yet

const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};

class Atlas {
  constructor(figure, name, node) {
    Object.assign(this, { figure, name, node, at: 0, image: new Image() });
    this.box = make("div", "atlas");
    this.canvas = make("canvas");
    this.mark = make("div", "mark");
    this.ring = make("div", "ring");
    this.mark.hidden = this.ring.hidden = true;
    this.box.append(this.canvas, this.mark, this.ring);
    Object.assign(this.box, { tabIndex: 0 });
    const attributes = { role: "slider", "aria-label": `${node.title}: choose a channel with the arrow keys and Enter`,
      "aria-valuemin": 0, "aria-valuemax": node.order.length - 1, "aria-orientation": "horizontal" };
    for (const [key, value] of Object.entries(attributes)) this.box.setAttribute(key, value);
    this.box.dataset.node = name;
    this.tell();
    this.box.onpointermove = (event) => this.move(event);
    this.box.onpointerup = (event) => this.lift(event);
    this.box.onpointerleave = this.box.onpointercancel = this.box.onblur = () => this.leave();
    this.box.onfocus = () => { if (this.box.matches(":focus-visible")) this.hover(this.at); };
    this.box.onclick = (event) => { const cell = this.cellAt(event); if (cell >= 0) this.pick(cell); };
    this.box.onkeydown = (event) => this.key(event);
    this.image.onload = () => this.draw();
    this.image.src = node.src;
  }

  // Where a channel's tile lies: picture, left, top, side; null while there is none.
  tile(channel) {
    for (const { sheet, count } of this.figure.data.tiles.nodes?.[this.name] ?? []) {
      if (channel >= count) { channel -= count; continue; }
      const found = this.figure.sheets.get(sheet);
      if (!found?.image.naturalWidth || found.missing.includes(channel)) return null;
      const { columns, side } = found;
      return [found.image, (channel % columns) * side, Math.floor(channel / columns) * side, side];
    }
    return null;
  }

  draw() {
    const { node, figure } = this, width = this.box.clientWidth;
    if (!width || !this.image.naturalWidth) return;
    const ratio = window.devicePixelRatio || 1, gap = Math.max(1, Math.round(ratio));
    this.columns = figure.narrow ? (figure.root.clientWidth < SMALL ? 16 : 32) : node.show;
    // A step need not be whole: cell edges are rounded, so that a row fills its card to the pixel.
    const step = (width * ratio + gap) / this.columns, count = node.order.length, [high, wide] = node.cell;
    const edge = (place) => Math.round(place * step);
    this.canvas.width = edge(Math.min(this.columns, count)) - gap;
    this.canvas.height = edge(Math.ceil(count / this.columns)) - gap;
    this.step = step / ratio;
    this.side = this.step - gap / ratio;
    this.canvas.style.width = `${this.canvas.width / ratio}px`;
    const pen = this.canvas.getContext("2d");
    const tiles = Boolean(figure.data.tiles.nodes);
    pen.fillStyle = EMPTY;
    pen.imageSmoothingEnabled = tiles || step - gap < wide;
    pen.imageSmoothingQuality = "high";
    for (let cell = 0; cell < count; cell++) {
      const column = cell % this.columns, row = Math.floor(cell / this.columns);
      const place = [edge(column), edge(row), edge(column + 1) - edge(column) - gap, edge(row + 1) - edge(row) - gap];
      if (!tiles) { pen.drawImage(this.image, ...this.boxOf(cell), ...place); continue; }
      const [image, left, top, side] = this.tile(node.order[cell]) ?? [];
      if (image) pen.drawImage(image, left, top, side, side, ...place);
      else pen.fillRect(...place);
    }
    this.showMark();
  }

  boxOf(cell) {
    const { columns, gap, cell: [high, wide] } = this.node;
    return [(cell % columns) * (wide + gap), Math.floor(cell / columns) * (high + gap), wide, high];
  }

  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const step = this.step * box.width / parseFloat(this.canvas.style.width); // the presentation is larger
    const column = Math.floor((event.clientX - box.left) / step);
    const row = Math.floor((event.clientY - box.top) / step);
    const cell = row * this.columns + column;
    return column >= 0 && column < this.columns && row >= 0 && cell < this.node.order.length ? cell : -1;
  }

  place(frame, cell) {
    frame.hidden = cell < 0 || !this.step;
    if (frame.hidden) return;
    frame.style.left = `${(cell % this.columns) * this.step}px`;
    frame.style.top = `${Math.floor(cell / this.columns) * this.step}px`;
    frame.style.width = frame.style.height = `${this.side}px`;
  }

  words(cell) {
    const { node } = this, channel = node.order[cell];
    return `mean ${node.mean[channel]} · max ${node.max[channel]} · ` +
      `${node.active[channel]}% active${node.credit.length ? ` · credit ${node.credit[channel]} logits` : ""}`;
  }

  told(cell) { return `channel ${this.node.order[cell]} · ${this.words(cell)}`; }

  tell() {
    this.box.setAttribute("aria-valuenow", this.node.order[this.at]);
    this.box.setAttribute("aria-valuetext", this.told(this.at));
  }

  hover(cell, finger) {
    this.over = cell;
    this.place(this.ring, cell);
    this.figure.say(this, finger ? -1 : cell);
    this.figure.look(cell < 0 ? null : { node: this.name, channel: this.node.order[cell], finger });
  }

  // A finger that moves sideways walks from channel to channel and pins the one on which it is lifted; one that moves
  // up or down scrolls the page (touch-action in atlas.css).
  move(event) {
    const cell = this.cellAt(event), touch = event.pointerType === "touch";
    if (cell === this.over || (touch && cell < 0)) return;
    this.walked = touch;
    this.hover(cell, touch ? event.clientY : undefined);
  }

  lift(event) {
    if (event.pointerType === "touch" && this.walked && this.over >= 0) {
      // After a move the browser makes no click: this is the act that Back takes back.
      this.box.dispatchEvent(new Event("change", { bubbles: true, composed: true }));
      this.pick(this.over);
    }
    this.walked = false;
  }

  leave() {
    this.walked = false;
    if (this.over >= 0) this.hover(-1);
  }

  key(event) {
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    const last = this.node.order.length - 1;
    let next = this.at + (moves[event.key] ?? 0);
    if (event.key === "Home") next = 0;
    if (event.key === "End") next = last;
    if (event.key === "Enter" || event.key === " ") this.pick(this.at);
    else if (!(event.key in moves) && event.key !== "Home" && event.key !== "End") return;
    event.preventDefault();
    this.at = Math.max(0, Math.min(last, next));
    this.tell();
    this.hover(this.at);
  }

  pick(cell, quiet = false) {
    this.at = cell;
    this.tell();
    this.figure.choose({ node: this.name, channel: this.node.order[cell] }, { ...this.edges(cell), quiet });
  }

  // Where the cell stands in the window.
  edges(cell) {
    const top = this.box.getBoundingClientRect().top + Math.floor(cell / this.columns) * this.step;
    return { top, bottom: top + this.side };
  }

  showMark() {
    const { node, channel } = this.figure.chosen ?? {};
    const cell = node === this.name ? this.node.order.indexOf(channel) : -1;
    if (cell >= 0) this.at = cell;
    this.place(this.mark, cell);
    this.tell();
  }
}

