// The module as the paper's Figure 2(b): every node is a canvas of channels (atlas_node.js).
// What is looked at is told to the panel of the picked channel (channel_title.js, channel.js), which shows it at once;
// the server only hears of a pick.
const NARROW = 720, REST = 300;
const PICKED = "scope-module-picked", LOOKED = "scope-module-looked", SHOWN = "scope-module-shown";
const WALKED = "scope-module-walked", ANSWERED = "scope-module-answered";

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
    if (given !== this.given) this.awaited = null;
    this.given = given;
    this.atlases.forEach((atlas) => atlas.showMark());
    this.showChannel();
  }

  build(data) {
    const old = this.atlases;
    const focused = this.root.getRootNode().activeElement?.dataset?.node;
    this.atlases = new Map();
    this.data = data;
    this.sheets = this.load(data.tiles.sheets ?? {});
    this.looked = null;
    const shown = JSON.stringify(data.preview);  // the same photo is seen by another network in another square
    if (this.shown !== shown) this.painter = new Painter(data.preview);
    this.shown = shown;
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
    (window.requestIdleCallback ?? setTimeout)(() => this.warm());
  }

  // Sheets of tiles, each decoded once; the nodes are drawn again when one has come.
  load(sheets) {
    return new Map(Object.entries(sheets).map(([name, sheet]) => {
      const old = this.sheets?.get(name);
      if (old?.src === sheet.src) return [name, old];
      const image = new Image();
      image.onload = () => this.atlases.forEach((atlas) => atlas.draw());
      image.src = sheet.src;
      return [name, { ...sheet, image }];
    }));
  }

  // The first picture takes ten times as long as those after it: photo and atlas are decoded then. Nobody waits for it.
  warm() {
    const { painter } = this, [atlas] = this.atlases.values(), grid = this.data.nodes[atlas.name].grid;
    Promise.all([painter.photo.decode(), atlas.image.decode()])
      .then(() => painter.paint(atlas.image, atlas.boxOf(0), grid, 1), () => {});
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
    const channel = atlas.node.order[cell], tile = atlas.tile(channel);
    this.tip.replaceChildren(`channel ${channel}`);  // the numbers stand in the panel
    if (tile) this.tip.prepend(this.large(...tile));
    const box = atlas.canvas.getBoundingClientRect(), root = this.root.getBoundingClientRect();
    const x = box.left - root.left + ((cell % atlas.columns) + 0.5) * atlas.step;
    const y = box.top - root.top + (Math.floor(cell / atlas.columns) + 1) * atlas.step + 4;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${Math.max(0, Math.min(root.width - 2 * half, x - half))}px`;
    this.tip.style.top = `${y}px`;
  }

  // A tile as large as it is.
  large(image, left, top, side) {
    const canvas = (this.enlarged ??= make("canvas"));
    canvas.width = canvas.height = side;
    canvas.getContext("2d").drawImage(image, left, top, side, side, 0, 0, side, side);
    return canvas;
  }

  mark({ node, channel }) {
    this.chosen = { node, channel };
    this.atlases.forEach((atlas) => atlas.showMark());
    this.showChannel();
  }

  choose(chosen, edges) {
    clearTimeout(this.resting);
    // Of two photos beside each other both figures outline the channel.
    window.dispatchEvent(new CustomEvent(PICKED, { detail: { ...chosen, edges } }));
    this.emit("pick", chosen);
  }

  // To every figure on the page: this channel is looked at; null: the picked one.
  look(looked) { window.dispatchEvent(new CustomEvent(LOOKED, { detail: looked })); }

  // Tells the panel which channel to show; it asks for the picture only where it has not got the server's.
  showChannel() {
    const { node, channel, finger } = this.looked ?? this.chosen, { module, preview, nodes } = this.data;
    const atlas = this.atlases.get(node), cell = atlas ? atlas.node.order.indexOf(channel) : -1;
    const seen = { photo: preview.panel, module, node, channel, finger };
    if (cell >= 0) {
      const grid = nodes[node].grid, share = nodes[node].share[channel] ?? 1;
      Object.assign(seen, { title: `${module} · ${atlas.node.title} · channel ${channel}`, words: atlas.words(cell),
        paint: () => this.painter.paint(atlas.image, atlas.boxOf(cell), grid, share) });
    }
    window.dispatchEvent(new CustomEvent(SHOWN, { detail: seen }));
  }

  // The panel's arrows: at once to the next channel in the order shown, which is pinned where one comes to rest.
  walk(by) {
    const { node, channel } = this.looked ?? this.chosen, atlas = this.atlases.get(node);
    if (!atlas) return;
    const cell = Math.max(0, Math.min(atlas.node.order.length - 1, atlas.node.order.indexOf(channel) + by));
    this.look({ node, channel: atlas.node.order[cell] });
    clearTimeout(this.resting);
    this.resting = setTimeout(() => { atlas.pick(cell, true); this.look(null); }, REST);
  }

  // What the server has pinned, and may have pinned without this figure: by Back, or from a list. What it says while
  // it has not heard of the last pick is old.
  answered(unit) {
    if (unit.module !== this.data?.module) return;
    const same = (other) => other && other.node === unit.node && other.channel === unit.channel;
    if (this.awaited && !same(this.awaited)) return;
    this.awaited = null;
    if (!same(this.chosen)) this.mark(unit);
  }

  heard(event) {
    if (event.type === PICKED) { [this.looked, this.awaited] = [null, event.detail]; this.mark(event.detail); }
    if (event.type === LOOKED) { this.looked = event.detail; this.showChannel(); }
    if (event.type === WALKED && !this.data.preview.panel) this.walk(event.detail);
    if (event.type === ANSWERED) this.answered(event.detail);
  }
}

const data_of = (figure, name) => figure.data.nodes[name];

const HEARD = [PICKED, LOOKED, WALKED, ANSWERED];

export default function({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".figure");
  const figure = (root.figure ??= new Figure(root));
  figure.hear ??= (event) => figure.heard(event);
  for (const name of HEARD) window.addEventListener(name, figure.hear);
  root.figure.emit = setTriggerValue;
  root.figure.show(data);
  return () => HEARD.forEach((name) => window.removeEventListener(name, figure.hear));
}
