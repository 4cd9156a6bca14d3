// The tour's card: shows a step, marks what it speaks of, and remembers that it was left.
const LEFT = "inceptionscope.tour", ROOM = 90;

// Storage is closed in some browsers; then only the session knows.
const left = () => { try { return localStorage.getItem(LEFT) === "left"; } catch { return false; } };
const leave = () => { try { localStorage.setItem(LEFT, "left"); } catch { /* the session knows */ } };

class Tour {
  constructor(root) {
    this.card = root.querySelector(".tour");
    this.told = root.querySelector(".told");
    this.shown = 0;
    this.part = (name) => root.querySelector(name);
    this.part(".skip").onclick = () => this.end();
    this.part(".back").onclick = () => this.go(this.step - 1);
    this.part(".next").onclick = () => (this.step === this.steps.length ? this.end() : this.go(this.step + 1));
    this.key = (event) => {
      // Escape first closes what lies open elsewhere: a menu, a popover, the sidebar's boxes.
      const elsewhere = event.target.closest?.("input, [role=listbox], [role=menu], [data-testid=stPopoverBody]");
      if (event.key === "Escape" && !this.card.hidden && !elsewhere && !event.defaultPrevented) this.end();
    };
  }

  show({ steps, step, asked }) {
    this.steps = steps;
    // What the server repeats is older than what was pressed here since then.
    const given = `${step} ${asked}`;
    if (given === this.given) return;
    this.given = given;
    const on = step > 0 && (asked || !left());
    if (on && this.shown !== step) this.draw(step);
    if (!on) this.hide();
  }

  draw(step) {
    const { title, text, about } = this.steps[step - 1], count = this.steps.length, last = step === count;
    this.part(".place").textContent = `${step} of ${count}`;
    this.part("#title").textContent = title;
    this.part("#text").textContent = text;
    this.part(".skip").hidden = last;
    this.part(".back").hidden = step === 1;
    this.part(".next").textContent = last ? "Done" : "Next";
    this.card.hidden = false;
    // Who comes for the first time is told and not moved; who pressed a button is led to the next step.
    const news = this.shown ? `${title}. ${text}` : `A tour in ${count} steps lies open in the corner; Escape leaves it.`;
    this.told.textContent = this.led ? "" : news;
    if (this.led) this.card.focus({ preventScroll: true });
    this.find(about, this.led);
    this.led = false;
    this.shown = this.step = step;
  }

  // Marks the part that the step speaks of, as soon as it is there, and brings it clear of the card.
  find(about, move) {
    this.forget();
    const here = () => {
      const part = document.querySelector(about);
      if (!part) return false;
      this.forget();
      this.mark = part;
      part.dataset.tour = "here";
      if (move) this.bring(part);
      return true;
    };
    if (here()) return;
    this.watch = new MutationObserver(here);
    this.watch.observe(document.body, { childList: true, subtree: true });
  }

  // Scrolls the part between the bar on top and the card; once more while the page grows, until somebody does anything.
  bring(part) {
    const place = () => {
      const box = part.getBoundingClientRect(), card = this.card.getBoundingClientRect();
      if (box.top >= ROOM - 20 && Math.min(box.bottom, box.top + 300) <= card.top) return;
      part.style.scrollMarginTop = `${ROOM}px`;
      part.scrollIntoView({ block: "start" });
    };
    const grows = new ResizeObserver(place), stop = () => this.still?.();
    const acts = ["wheel", "touchstart", "pointerdown", "keydown"];
    this.still = () => {
      grows.disconnect();
      for (const act of acts) window.removeEventListener(act, stop);
    };
    for (const act of acts) window.addEventListener(act, stop, { once: true, passive: true });
    grows.observe(document.querySelector("[data-testid=stMainBlockContainer]") ?? document.body);
    setTimeout(this.still, 4000);
  }

  forget() {
    this.still?.();
    this.watch?.disconnect();
    if (this.mark) delete this.mark.dataset.tour;
    this.mark = this.watch = this.still = null;
  }

  hide() {
    this.forget();
    this.card.hidden = true;
    this.told.textContent = "";
    this.shown = 0;
  }

  go(step) {
    this.led = true;
    this.draw(step);
    this.emit("go", step);
  }

  end() {
    leave();
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
