// The head of the panel: which channel it shows, two arrows that walk on, and on a phone what folds the sheet.
const SHOWN = "scope-module-shown", PICKED = "scope-module-picked", WALKED = "scope-module-walked";
const PHONE = "(max-width: 767px)", SPACE = 12;

class Title {
  constructor(head) {
    this.head = head;
    this.title = head.querySelector(".scope-title");
    this.line = head.querySelector(".line");
    this.fold = head.querySelector(".fold");
    this.panel = head.getRootNode().host?.closest(".st-key-channel-panel");
    const walk = (by) => window.dispatchEvent(new CustomEvent(WALKED, { detail: by }));
    head.querySelector(".before").onclick = () => walk(-1);
    head.querySelector(".after").onclick = () => walk(1);
    this.fold.onclick = () => this.set(this.panel.dataset.sheet !== "open");
    this.set(false);
  }

  // What a phone shows of the panel: all of it from below, or its head alone.
  set(open) {
    if (!this.panel) return;
    this.panel.dataset.sheet = open ? "open" : "folded";
    this.fold.setAttribute("aria-expanded", String(open));
  }

  show(data) {
    this.data = data;
    this.draw();
  }

  draw() {
    const { data, seen } = this;
    const other = seen?.title && seen.module === data.module
      && (seen.node !== data.node || seen.channel !== data.channel);
    this.title.textContent = other ? seen.title : data.title;
    this.line.textContent = other ? seen.words : data.line;
    this.panel?.toggleAttribute("data-other", Boolean(other));
  }

  hear({ type, detail }) {
    if (type === PICKED) this.open(detail.edges);
    if (type !== SHOWN || detail.photo) return;  // of two photos the first one's figure speaks
    this.seen = detail;
    if (detail.finger !== undefined) {
      // Not under the finger that walks.
      this.set(true);
      this.panel.dataset.side = detail.finger > innerHeight / 2 ? "top" : "bottom";
    }
    this.draw();
  }

  // The sheet comes from below, and the page goes as far up as the picked cell would lie behind it.
  open(edges) {
    if (!this.panel) return;
    if (!edges?.quiet) this.set(true);  // the arrows leave the sheet as it is
    this.panel.dataset.side = "bottom";
    if (!edges || !matchMedia(PHONE).matches) return;
    requestAnimationFrame(() => {
      const hidden = edges.bottom + SPACE - (innerHeight - this.panel.offsetHeight);
      if (hidden > 0) document.querySelector("[data-testid=stMain]").scrollBy({ top: hidden });
    });
  }
}

const HEARD = [SHOWN, PICKED];

export default function({ parentElement, data }) {
  const head = parentElement.querySelector(".head");
  const title = (head.panelTitle ??= new Title(head));
  title.heard ??= (event) => title.hear(event);
  for (const name of HEARD) window.addEventListener(name, title.heard);
  title.show(data);
  return () => HEARD.forEach((name) => window.removeEventListener(name, title.heard));
}
