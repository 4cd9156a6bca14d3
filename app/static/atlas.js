// The module as the paper's Figure 2(b): every node is a canvas of channels that can be hovered, walked and picked.
const NARROW = 720, PHONE = 440, PICKED = "scope-module-picked";

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
    this.box.onpointermove = (event) => this.hover(this.cellAt(event));
    this.box.onpointerleave = this.box.onblur = () => this.hover(-1);
    this.box.onclick = (event) => { const cell = this.cellAt(event); if (cell >= 0) this.pick(cell); };
    this.box.onkeydown = (event) => this.key(event);
    this.image.onload = () => this.draw();
    this.image.src = node.src;
  }

  draw() {
    const { node, figure } = this, width = this.box.clientWidth;
    if (!width || !this.image.naturalWidth) return;
    const ratio = window.devicePixelRatio || 1, gap = Math.max(1, Math.round(ratio));
    this.columns = figure.narrow ? (figure.root.clientWidth < PHONE ? 16 : 32) : node.show;
    // A step need not be whole: cell edges are rounded, so that a row fills its card to the pixel.
    const step = (width * ratio + gap) / this.columns, count = node.order.length, [high, wide] = node.cell;
    const edge = (place) => Math.round(place * step);
    this.canvas.width = edge(Math.min(this.columns, count)) - gap;
    this.canvas.height = edge(Math.ceil(count / this.columns)) - gap;
    this.step = step / ratio;
    this.side = this.step - gap / ratio;
    this.canvas.style.width = `${this.canvas.width / ratio}px`;
    const pen = this.canvas.getContext("2d");
    pen.imageSmoothingEnabled = step - gap < wide;
    pen.imageSmoothingQuality = "high";
    for (let cell = 0; cell < count; cell++) {
      const column = cell % this.columns, row = Math.floor(cell / this.columns);
      const x = (cell % node.columns) * (wide + node.gap), y = Math.floor(cell / node.columns) * (high + node.gap);
      pen.drawImage(this.image, x, y, wide, high, edge(column), edge(row),
        edge(column + 1) - edge(column) - gap, edge(row + 1) - edge(row) - gap);
    }
    this.showMark();
  }

  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / this.step);
    const row = Math.floor((event.clientY - box.top) / this.step);
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
    return `channel ${channel} · mean ${node.mean[channel]} · max ${node.max[channel]} · ` +
      `${node.active[channel]}% active${node.credit.length ? ` · credit ${node.credit[channel]} logits` : ""}`;
  }

  tell() {
    this.box.setAttribute("aria-valuenow", this.node.order[this.at]);
    this.box.setAttribute("aria-valuetext", this.words(this.at));
  }

  hover(cell) {
    this.place(this.ring, cell);
    this.figure.say(this, cell);
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

  pick(cell) {
    this.at = cell;
    this.tell();
    this.figure.choose({ node: this.name, channel: this.node.order[cell] });
  }

  showMark() {
    const { node, channel } = this.figure.chosen ?? {};
    const cell = node === this.name ? this.node.order.indexOf(channel) : -1;
    if (cell >= 0) this.at = cell;
    this.place(this.mark, cell);
    this.tell();
  }
}

class Figure {
  constructor(root) {
    this.root = root;
    this.tip = make("div", "tip");
    this.atlases = new Map();
    new ResizeObserver(() => {
      if (root.clientWidth === this.width) return;
      this.width = root.clientWidth;
      this.narrow = this.width < NARROW;
      root.classList.toggle("narrow", this.narrow);
      this.atlases.forEach((atlas) => atlas.draw());
    }).observe(root);
  }

  show(data) {
    this.narrow = this.root.clientWidth < NARROW;
    this.root.classList.toggle("narrow", this.narrow);
    if (this.stamp !== data.stamp) this.build(data);
    this.stamp = data.stamp;
    // The server repeats the choice it knew when it drew the figure; a pick made since then stays.
    const given = JSON.stringify([data.stamp, data.chosen]);
    if (given !== this.given) this.chosen = data.chosen;
    this.given = given;
    this.atlases.forEach((atlas) => atlas.showMark());
  }

  build(data) {
    const old = this.atlases;
    const focused = this.root.getRootNode().activeElement?.dataset?.node;
    this.atlases = new Map();
    this.data = data;
    this.tip.hidden = true;
    this.atlas = (name) => {
      const before = old.get(name), node = data.nodes[name];
      const atlas = before && before.node.src === node.src && before.node.show === node.show
        ? before : new Atlas(this, name, node);
      this.atlases.set(name, atlas);
      return atlas.box;
    };
    const columns = make("div", "branches");
    const arrows = [make("div", "arrows"), make("div", "arrows")];
    for (const branch of data.branches) {
      columns.append(this.column(branch));
      for (const row of arrows) row.append(this.arrow(branch));
    }
    this.root.replaceChildren(this.row(data.output), arrows[0], columns, arrows[1], this.row(data.input), this.tip);
    if (focused) this.atlases.get(focused)?.box.focus({ preventScroll: true });
    requestAnimationFrame(() => this.atlases.forEach((atlas) => atlas.draw()));
  }

  arrow(branch) {
    const cell = make("span");
    cell.style.flexGrow = branch.grow;
    cell.innerHTML = '<svg width="12" height="16" aria-hidden="true"><path d="M6 16V2m-4 4l4-4l4 4"/></svg>';
    return cell;
  }

  column(branch) {
    const card = make("section", "card");
    card.style.setProperty("--c", `var(--b${branch.kind})`);
    card.style.flexGrow = branch.grow;
    card.append(this.title(branch), this.atlas(branch.node));
    const below = make("div", "red");
    if (branch.reduce) below.append(this.title(data_of(this, branch.reduce)), this.atlas(branch.reduce));
    else below.append(make("p", "none", branch.none));
    card.append(below);
    return card;
  }

  title({ title, text, more }) {
    const head = make("h3", "", title + " ");
    head.append(make("small", "", text), make("small", "more", more));
    return head;
  }

  row(part) {
    const row = make("section", "wide");
    const head = make("div", "head");
    const button = make("button", "", part.open ? "hide" : "show all channels");
    button.type = "button";
    button.setAttribute("aria-expanded", String(part.open));
    button.setAttribute("aria-label", `${part.open ? "hide" : "show"} all channels of the ${part.title}`);
    button.onclick = () => this.emit("open", part.node);
    head.append(this.title(part), button);
    const strip = make("div", "strip");
    for (const share of part.shares) {
      const piece = make("span", "", share.text);
      piece.style.flexGrow = share.channels;
      if (share.kind) piece.style.setProperty("--c", `var(--b${share.kind})`);
      piece.title = share.title;
      strip.append(piece);
    }
    row.append(head, strip);
    if (part.open) row.append(this.atlas(part.node));
    return row;
  }

  say(atlas, cell) {
    this.tip.hidden = cell < 0;
    if (cell < 0) return;
    this.tip.textContent = `${atlas.node.title} · ${atlas.words(cell)}`;
    const box = atlas.canvas.getBoundingClientRect(), root = this.root.getBoundingClientRect();
    const x = box.left - root.left + ((cell % atlas.columns) + 0.5) * atlas.step;
    const y = box.top - root.top + (Math.floor(cell / atlas.columns) + 1) * atlas.step + 4;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${Math.max(0, Math.min(root.width - 2 * half, x - half))}px`;
    this.tip.style.top = `${y}px`;
  }

  mark(chosen) {
    this.chosen = chosen;
    this.atlases.forEach((atlas) => atlas.showMark());
  }

  choose(chosen) {
    // Of two photos beside each other both figures outline the channel.
    window.dispatchEvent(new CustomEvent(PICKED, { detail: chosen }));
    this.emit("pick", chosen);
  }
}

const data_of = (figure, name) => figure.data.nodes[name];

export default function({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".figure");
  const figure = (root.figure ??= new Figure(root));
  figure.picked ??= (event) => figure.mark(event.detail);
  window.addEventListener(PICKED, figure.picked);
  root.figure.emit = setTriggerValue;
  root.figure.show(data);
  return () => window.removeEventListener(PICKED, figure.picked);
}
