// The user's own photos, kept by the browser for a reload: the files that the uploader was given, in IndexedDB.
// The server says by their hashes which of them it has taken; after a reload it is handed them by an uploader of its
// own, like anybody's files. Where there is no IndexedDB (or, on plain http, no hash), nothing is kept.
const STORE = "inceptionscope", PHOTOS = "photos", PATIENCE = 10000, LOOKING = 5000;
const GIVEN = ".st-key-upload", BACK = ".st-key-kept-photos input[type=file]";

const asked = (request) => new Promise((done, fail) => {
  request.onsuccess = () => done(request.result);
  request.onerror = () => fail(request.error);
});

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

const sha256 = async (file) =>
  [...new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");

class Keeper {
  constructor() {
    this.given = new Map();  // hash -> a file that the uploader was given and the server may take
    this.removals = 0;
    this.work = Promise.resolve();
    const take = (event, files) => {
      if (event.target.closest?.(GIVEN)) this.then(() => this.receive([...(files ?? [])]));
    };
    // The uploader empties its field and lets go of what was dropped: the files are taken at once.
    addEventListener("change", (event) => take(event, [...(event.target.files ?? [])]), true);
    addEventListener("drop", (event) => take(event, [...(event.dataTransfer?.files ?? [])]), true);
  }

  // One after the other; what the browser refuses leaves everything as it is without a store.
  then(step) {
    this.work = this.work.then(step).catch(() => {});
    return this.work;
  }

  async store(mode) {
    const opening = indexedDB.open(STORE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(PHOTOS, { keyPath: "sha" });
    this.base ??= await asked(opening);
    return this.base.transaction(PHOTOS, mode).objectStore(PHOTOS);
  }

  // Newest first.
  async all() {
    const found = await asked((await this.store("readonly")).getAll());
    return found.sort((a, b) => b.time - a.time);
  }

  async receive(files) {
    for (const file of files)
      if (file.size <= this.data.bytes) this.given.set(await sha256(file), { name: file.name, file });
    await this.keep();
  }

  // Stores what the server has taken, as long as there is room: the oldest are left out, and the server told which.
  async keep() {
    const { own, most, bytes } = this.data, left = [];
    const now = Date.now();
    for (const [place, sha] of own.entries()) {
      const photo = this.given.get(sha);
      if (!photo) continue;
      this.given.delete(sha);
      try {
        await asked((await this.store("readwrite")).put({ sha, ...photo, time: now - place }));
      } catch {
        left.push(photo.name);
      }
    }
    let size = 0, count = 0;
    for (const { sha, name, file } of await this.all()) {
      if (count < most && size + file.size <= bytes) {
        count += 1;
        size += file.size;
      } else {
        await asked((await this.store("readwrite")).delete(sha));
        left.push(name);
      }
    }
    if (left.length) this.emit("left", left);
  }

  async remove() {
    this.given.clear();
    await asked((await this.store("readwrite")).clear());
  }

  // Gives the server what is kept, once a session, and says when there is nothing.
  async giveBack() {
    const session = this.data.session;
    // A store may also be silent: another tab holds it, say.
    const photos = await Promise.race([this.all().catch(() => []), pause(LOOKING).then(() => [])]);
    const until = performance.now() + PATIENCE;
    let field = null;
    while (photos.length && performance.now() < until && !(field = document.querySelector(BACK)))
      await pause(20);
    if (field && this.data.session === session) {
      const box = new DataTransfer();
      // Transfers arrive in any order: the name says which place each has in the filmstrip.
      for (const [place, { name, file }] of photos.entries())
        box.items.add(new File([file], `${place} ${name}`, { type: file.type }));
      field.files = box.files;
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }
    // A transfer that comes to nothing must not keep the server waiting for ever.
    setTimeout(() => { this.idle = session; this.answer(); }, field ? PATIENCE : 0);
  }

  answer() {
    const { session, waits } = this.data;
    if (waits && this.idle === session && this.said !== session) {
      this.said = session;
      this.emit("nothing", true);
    }
  }

  show(data) {
    const fresh = data.session !== this.data?.session;
    this.data = data;
    if (fresh) this.removals = 0;
    if (data.removals > this.removals) this.then(() => this.remove());
    this.removals = data.removals;
    if (fresh) this.then(() => this.giveBack());
    if (data.own.some((sha) => this.given.has(sha))) this.then(() => this.keep());
    this.answer();
  }
}

export default function ({ data, setTriggerValue }) {
  const keeper = (window.scopeKeeper ??= new Keeper());
  keeper.emit = setTriggerValue;
  keeper.show(data);
}
