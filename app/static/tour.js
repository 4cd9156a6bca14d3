// The card of the tour and of the stories: shows a step, marks what it speaks of, keeps clear of it, and remembers that
// the tour was left.
const LEFT = "inceptionscope.tour", ROOM = 90, EDGE = 14, GAP = 8;
const CORNERS = ["br", "bl", "tr", "tl"];

// Storage is closed in some browsers; then only the session knows.
const left = () => { try { return localStorage.getItem(LEFT) === "left"; } catch { return false; } };
const leave = () => { try { localStorage.setItem(LEFT, "left"); } catch { /* the session knows */ } };

// Below the bar on top, and on narrow screens below the row of pages.
const bar = () => (innerWidth < 768 ? 104 : 62);
const seen = (part) => part.getClientRects().length > 0;

class Tour {
  constructor(root) {
    this.card = root.querySelector(".tour");
    this.told = root.querySelector(".told");
    this.shown = 0;
    this.part = (name) => root.querySelector(name);
    this.part(".skip").onclick = () => this.end();
    this.part(".back").onclick = () => this.go(this.step - 1);
    this.part(".next").onclick = () => (this.step === this.steps.length ? this.end() : this.go(this.step + 1));
    this.place = this.place.bind(this);
    this.key = (event) => {
      // Escape first closes what lies open elsewhere: a menu, a popover, the sidebar's boxes.
      const elsewhere = event.target.closest?.("input, [role=listbox], [role=menu], [data-testid=stPopoverBody]");
      if (event.key === "Escape" && seen(this.card) && !elsewhere && !event.defaultPrevented) this.end();
    };
  }

  show({ kind, steps, step, asked }) {
    this.steps = steps;
    this.story = kind === "story";
    // What the server repeats is older than what was pressed here since then.
    const given = `${kind} ${step} ${asked} ${steps[0]?.text}`;
    if (given === this.given) return;
    this.given = given;
    const on = step > 0 && (asked || !left()), text = `${kind} ${steps[step - 1]?.text}`;
    if (on && this.drawn !== text) {
      // Who chose a story wants to be led.
      this.led ||= this.story;
      this.draw(step);
    }
    if (!on) this.hide();
  }

  draw(step) {
    const { title, text, about } = this.steps[step - 1], count = this.steps.length, last = step === count;
    this.part(".place").textContent = `${step} of ${count}`;
    this.part("#title").textContent = title;
    this.part("#text").textContent = text;
    this.part(".skip").textContent = this.story ? "Leave" : "Skip";
    this.part(".skip").hidden = last;
    this.part(".back").hidden = step === 1;
    this.part(".next").textContent = last ? "Done" : "Next";
    this.card.hidden = false;
    // Who comes for the first time is told and not moved; who pressed a button is led to the next step.
    const news = this.shown ? `${title}. ${text}` : `A tour in ${count} steps lies open in the corner; Escape leaves it.`;
    this.told.textContent = this.led ? "" : news;
    if (this.led) this.card.focus({ preventScroll: true });
    this.drawn = `${this.story ? "story" : "tour"} ${text}`;
    this.find(about, this.led);
    this.led = false;
    this.shown = this.step = step;
  }

  // Of the parts that the step names the first one that is seen and has room beside the card, else the last that is seen.
  choose(about) {
    const room = innerHeight - ROOM - this.card.offsetHeight - EDGE - GAP;
    const names = about.split(", "), parts = names.flatMap((name) => [...document.querySelectorAll(name)].slice(0, 1));
    const there = parts.filter(seen);
    return there.find((part) => part.getBoundingClientRect().height <= room) ?? there.at(-1);
  }

  // Marks the part that the step speaks of, as soon as it is there, also when the page draws it anew.
  find(about, move) {
    this.forget();
    const look = () => {
      if (this.mark?.isConnected && seen(this.mark) && this.mark.matches(about)) return;
      const part = this.choose(about), first = !this.mark;
      if (this.mark) delete this.mark.dataset.tour;
      this.mark = part;
      if (!part) return;
      part.dataset.tour = "here";
      if (move && (first || !this.moved)) this.bring();
      this.place();
    };
    this.watch = new MutationObserver(look);
    this.watch.observe(document.body, { childList: true, subtree: true });
    this.sizes = new ResizeObserver(this.place);
    this.sizes.observe(document.querySelector("[data-testid=stMainBlockContainer]") ?? document.body);
    this.sizes.observe(this.card);
    // What scrolls is a box inside of the page: its events don't bubble, but they can be caught on their way down.
    window.addEventListener("scroll", this.place, { capture: true, passive: true });
    window.addEventListener("resize", this.place);
    look();
  }

  // The corner in which the card covers nothing, or least, of the part: its own, if that does as well.
  place() {
    const corner = this.card.getRootNode().host?.closest(".st-key-tour-corner"), { width, height } = this.card.getBoundingClientRect();
    if (!corner || this.card.hidden) return;
    const box = this.mark?.isConnected ? this.mark.getBoundingClientRect() : { left: 0, right: 0, top: 0, bottom: 0 };
    const covered = (name) => {
      const x = name[1] === "r" ? innerWidth - EDGE - width : EDGE, y = name[0] === "b" ? innerHeight - EDGE - height : bar();
      const wide = Math.min(box.right + GAP, x + width) - Math.max(box.left - GAP, x);
      const high = Math.min(box.bottom + GAP, y + height) - Math.max(box.top - GAP, y);
      return wide > 0 && high > 0 ? wide * high : 0;
    };
    const now = corner.dataset.corner ?? CORNERS[0];
    const least = CORNERS.reduce((best, name) => (covered(name) < covered(best) ? name : best));
    if (least !== now) corner.dataset.corner = least;
  }

  // Scrolls the part below the bar on top, for some seconds again and again, until somebody does anything.
  bring() {
    const settle = () => {
      const box = this.mark?.getBoundingClientRect(), card = this.card.offsetHeight + EDGE + GAP;
      if (!box || (box.top >= ROOM - 20 && box.bottom <= innerHeight - card)) return;
      this.mark.style.scrollMarginTop = `${ROOM}px`;
      this.mark.scrollIntoView({ block: "start" });
    };
    this.still?.();
    // The page goes on growing, and a new one begins at its top.
    const again = setInterval(settle, 200), stop = () => { this.moved = true; this.still?.(); };
    const acts = ["wheel", "touchstart", "pointerdown", "keydown"];
    const end = setTimeout(() => this.still?.(), 4000);
    this.still = () => {
      clearInterval(again);
      clearTimeout(end);
      for (const act of acts) window.removeEventListener(act, stop);
    };
    for (const act of acts) window.addEventListener(act, stop, { once: true, passive: true });
    settle();
  }

  forget() {
    this.still?.();
    this.watch?.disconnect();
    this.sizes?.disconnect();
    window.removeEventListener("scroll", this.place, { capture: true });
    window.removeEventListener("resize", this.place);
    if (this.mark) delete this.mark.dataset.tour;
    this.mark = this.watch = this.sizes = this.still = null;
    this.moved = false;
  }

  hide() {
    this.forget();
    this.card.hidden = true;
    this.told.textContent = "";
    this.shown = 0;
    this.drawn = "";
  }

  go(step) {
    this.led = true;
    this.draw(step);
    this.emit("go", step);
  }

  end() {
    if (!this.story) leave();
    const inside = this.card.matches(":focus-within");
    this.hide();
    // The focus goes where a reader begins: to the page.
    if (inside) document.querySelector("[data-testid=stMain]")?.focus({ preventScroll: true });
    this.emit("go", 0);
  }
}

export default function({ parentElement, data, setTriggerValue }) {
  const section = parentElement.querySelector(".tour");
  const tour = (section.tour ??= new Tour(parentElement));
  tour.emit = setTriggerValue;
  tour.show(data);
  document.addEventListener("keydown", tour.key);
  return () => document.removeEventListener("keydown", tour.key);
}
