// The place of a chart that is not drawn yet. The page's own content comes first: a chart is asked for when the app has
// come to rest, at once where it stands near the window, and wherever it stands after some seconds in which nothing
// happened, so that finding in the page, printing and reading aloud get it as well.
const NEAR = "150px 0px", REST = 100, QUIET = 3000, AGAIN = 5000, TICK = 50;

const idle = (act) => (window.requestIdleCallback ? requestIdleCallback(act, { timeout: 1000 }) : setTimeout(act, 50));

// Until a chart is asked for, a skeleton is a part of the page that is still to come, and places move when it does.
// Later it may be a chart's own, which waits for plotly and must not hold back the next one.
const busy = () => {
  const app = document.querySelector("[data-testid=stApp]");
  const running = (app?.dataset.testScriptState ?? "notRunning") !== "notRunning";
  return running || (!document.body.dataset.charts && document.querySelector("[data-testid=stSkeleton]"));
};

class Later {
  constructor(box, ask) {
    this.box = box;
    this.ask = ask;
    this.rest = this.asked = null;
    // The margin counts for the box that scrolls, which is not the window.
    const root = document.querySelector("[data-testid=stMain]");
    this.watch = new IntersectionObserver(
      (seen) => box.classList.toggle("near", seen[seen.length - 1].isIntersecting),
      { root, rootMargin: NEAR },
    );
    this.watch.observe(box);
    this.look();
  }

  look() {
    const now = performance.now();
    if (busy()) this.rest = null;
    else this.rest ??= now;
    const wait = this.box.classList.contains("near") ? REST : QUIET;
    const due = this.rest !== null && now - this.rest > wait;
    if (due && (this.asked === null || now - this.asked > AGAIN)) {
      this.asked = now;
      document.body.dataset.charts = "asked";
      idle(() => this.watch && this.ask());
    }
    this.timer = setTimeout(() => this.look(), TICK);
  }

  stop() {
    clearTimeout(this.timer);
    this.watch.disconnect();
    this.watch = null;
  }
}

export default function({ parentElement, data, setTriggerValue }) {
  const box = parentElement.querySelector(".later");
  box.setAttribute("aria-label", data.alt);
  const later = new Later(box, () => setTriggerValue("near", true));
  return () => later.stop();
}
