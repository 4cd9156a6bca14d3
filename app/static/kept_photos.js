// The user's own photos, kept by the browser for a reload: the files that the uploader was given, in IndexedDB.
// The server says by their hashes which of them it has taken; after a reload it is handed them by an uploader of its
// own, like anybody's files. Where there is no IndexedDB, nothing is kept.
const STORE = "inceptionscope", PHOTOS = "photos", PATIENCE = 10000, LOOKING = 5000;
const GIVEN = ".st-key-upload", PLACE = ".st-key-kept-photos", BACK = `${PLACE} input[type=file]`;
const MOVING = `${PLACE} [aria-label^="Cancel upload"]`;

const asked = (request) => new Promise((done, fail) => {
  request.onsuccess = () => done(request.result);
  request.onerror = () => fail(request.error);
});

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// The browser's own on https and localhost; on plain http it has none.
const sha256 = async (file) => {
  const data = await file.arrayBuffer();
  return hex(crypto.subtle ? new Uint8Array(await crypto.subtle.digest("SHA-256", data)) : plainSha256(data));
};

// FIPS 180-4. The constants are the fractions of square roots and cube roots of the first primes.
const plainSha256 = (data) => {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  const fraction = (root) => Math.floor((root % 1) * 2 ** 32);
  const rounds = primes.map((prime) => fraction(Math.cbrt(prime)));
  const state = Uint32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
  const padded = new DataView(new ArrayBuffer((((data.byteLength + 8) >> 6) + 1) << 6));
  new Uint8Array(padded.buffer).set(new Uint8Array(data));
  padded.setUint8(data.byteLength, 0x80);
  padded.setUint32(padded.byteLength - 8, Math.floor(data.byteLength / 2 ** 29));
  padded.setUint32(padded.byteLength - 4, data.byteLength << 3);
  const right = (word, by) => (word >>> by) | (word << (32 - by)), words = new Uint32Array(64);
  for (let at = 0; at < padded.byteLength; at += 64) {
    for (let n = 0; n < 64; n++) {
      const x = words[n - 15], y = words[n - 2];
      words[n] = n < 16 ? padded.getUint32(at + 4 * n)
        : words[n - 16] + (right(x, 7) ^ right(x, 18) ^ (x >>> 3))
          + words[n - 7] + (right(y, 17) ^ right(y, 19) ^ (y >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let n = 0; n < 64; n++) {
      const one = (h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & f) ^ (~e & g)) + rounds[n] + words[n]) | 0;
      const two = ((right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, place) => { state[place] += word; });
  }
  const bytes = new DataView(new ArrayBuffer(32));
  state.forEach((word, place) => bytes.setUint32(4 * place, word));
  return new Uint8Array(bytes.buffer);
};

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
    this.wait(session, Boolean(field));
  }

  // A transfer that comes to nothing must not keep the server waiting for ever; on a slow line one may take minutes.
  async wait(session, given) {
    for (let since = performance.now(); given && performance.now() - since < PATIENCE && this.data.waits;) {
      if (document.querySelector(MOVING)) since = performance.now();
      await pause(100);
    }
    this.idle = session;
    this.answer();
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
