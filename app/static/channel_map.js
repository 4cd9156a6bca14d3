// A channel's map on the photo, painted from its cell in the atlas as the server paints it: read between the units'
// centres, coloured, and laid over what the network sees.
const STEPS = 254;

class Painter {
  // `data`: the photo and its size, the part that the network sees (left, top, right, bottom in the photo's pixels),
  // the side of the network's square, the colour table as hexadecimal text, and the colours' share.
  constructor(data) {
    this.data = data;
    this.photo = new Image();
    this.photo.src = data.photo;
    this.cell = document.createElement("canvas");
    this.part = document.createElement("canvas");
    this.canvas = document.createElement("canvas");
    this.colours = Uint8Array.from(data.colours.match(/../g), (pair) => parseInt(pair, 16));
    this.places = new Map();
  }

  // A colour's place in the table, the nearest one where a browser blurs what scripts read from a canvas.
  placeOf(red, green, blue) {
    const key = (red << 16) | (green << 8) | blue;
    let best = this.places.get(key);
    if (best !== undefined) return best;
    best = 0;
    for (let place = 0, least = Infinity; place <= STEPS && least > 0; place++) {
      const [r, g, b] = this.colours.subarray(3 * place, 3 * place + 3);
      const far = (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2;
      if (far < least) [best, least] = [place, far];
    }
    this.places.set(key, best);
    return best;
  }

  // The cell's values, from 0 to STEPS; `share` is where they end on the scale that the photo is drawn on.
  values(image, [x, y, wide, high], share) {
    this.cell.width = wide;
    this.cell.height = high;
    const pen = this.cell.getContext("2d", { willReadFrequently: true });
    pen.drawImage(image, x, y, wide, high, 0, 0, wide, high);
    const read = pen.getImageData(0, 0, wide, high).data, found = new Float32Array(wide * high);
    for (let i = 0; i < found.length; i++) found[i] = share * this.placeOf(read[4 * i], read[4 * i + 1], read[4 * i + 2]);
    return found;
  }

  // For each pixel the unit before it and how far it lies on the way to the next one.
  sampling(pixels, units, { start, jump }) {
    const low = new Int32Array(pixels), next = new Int32Array(pixels), part = new Float32Array(pixels);
    for (let i = 0; i < pixels; i++) {
      const square = ((i + 0.5) * this.data.side) / pixels - 0.5;
      const at = Math.min(units - 1, Math.max(0, (square - start) / jump));
      low[i] = Math.floor(at);
      next[i] = Math.min(units - 1, low[i] + 1);
      part[i] = at - low[i];
    }
    return { low, next, part };
  }

  // The photo with the map of an atlas's cell over it, on a canvas that the next call draws anew.
  paint(image, box, grid, share) {
    const { size, seen, alpha } = this.data, [left, top, right, bottom] = seen;
    const [, , wide, high] = box, values = this.values(image, box, share);
    const across = this.sampling(right - left, wide, grid), down = this.sampling(bottom - top, high, grid);
    this.part.width = right - left;
    this.part.height = bottom - top;
    const pen = this.part.getContext("2d"), drawn = pen.createImageData(right - left, bottom - top);
    for (let row = 0, out = 0; row < bottom - top; row++) {
      const above = down.low[row] * wide, below = down.next[row] * wide, fall = down.part[row];
      for (let column = 0; column < right - left; column++, out += 4) {
        const near = across.low[column], far = across.next[column], way = across.part[column];
        const upper = values[above + near] + way * (values[above + far] - values[above + near]);
        const lower = values[below + near] + way * (values[below + far] - values[below + near]);
        const place = 3 * Math.min(STEPS, Math.floor(upper + fall * (lower - upper) + 0.5));
        drawn.data[out] = this.colours[place];
        drawn.data[out + 1] = this.colours[place + 1];
        drawn.data[out + 2] = this.colours[place + 2];
        drawn.data[out + 3] = 255;
      }
    }
    pen.putImageData(drawn, 0, 0);
    [this.canvas.width, this.canvas.height] = size;
    const whole = this.canvas.getContext("2d");
    whole.drawImage(this.photo, 0, 0, ...size);
    whole.globalAlpha = alpha;
    whole.drawImage(this.part, left, top);
    return this.canvas;
  }
}
