// The drop zone: reads an embedding of the reader's own, has it measured in a worker or, where a page may have none,
// in slices, and shows what a report begins with. Nothing leaves the page.
function dropModule(spiky) {
  "use strict";
  const { RANKS, ZERO, cautions, cover, covering, decided, length, measured, nullsOf, principal, product, verdict } = spiky;
  const refuse = (text) => { throw new Error(text); };

  // A file as { E, names }: .npy, .npz, word vectors or a table as text.
  async function read(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const starts = (text, at = 0) => [...text].every((letter, i) => bytes[at + i] === letter.charCodeAt(0));
    if (!bytes.length) refuse(`${file.name} is empty`);
    let found;
    try {
      if (starts("NUMPY", 1)) found = { vectors: npy(bytes, file.name) };
      else if (starts("PK")) found = await npz(bytes, file.name);
    } catch (error) {
      refuse(error.message.startsWith(file.name) ? error.message : `${file.name} is damaged; save it again`);
    }
    if (!found && /\.(parquet|pq|feather|gz|zst|bz2|bin|pt|safetensors|json|h5|xlsx)$/i.test(file.name)) {
      refuse(`${file.name}: this page reads .npy, .npz, word2vec text and CSV; spiky report reads more`);
    }
    found ??= table(new TextDecoder().decode(bytes), file.name);
    const { shape, values } = found.vectors;
    const [n, d] = shape;
    const needed = "and a row for each item is needed: shape (items, dimensions)";
    if (shape.length !== 2 || !n || !d) refuse(`${file.name} contains an array of shape (${shape.join(", ")}), ${needed}`);
    const size = `${spiky.whole(n)} rows of ${spiky.whole(d)} dimensions`;
    if (n > 200000 || n * d > 5e7) refuse(`${file.name} contains ${size}, more than a page should take: use spiky report`);
    const wrong = values.findIndex((x) => !Number.isFinite(x));
    const place = `row ${Math.floor(wrong / d)}, column ${wrong % d}`;
    if (wrong >= 0) refuse(`${file.name} contains ${values[wrong]} at ${place}; remove or fill such rows first`);
    const names = found.ids ?? Array.from({ length: n }, (_, i) => `${i}`);
    return { E: spiky.matrix(n, d, values), names };
  }

  // An array of NumPy, by rows: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
  function npy(bytes, name) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [start, size] = bytes[6] === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
    const header = new TextDecoder().decode(bytes.subarray(start, start + size));
    const [, order, kind, width] = header.match(/'descr': '([<>|=])([a-zA-Z])(\d+)'/)
      ?? refuse(`${name} is not a plain array of numbers; save it after .astype(float)`);
    const shape = header.match(/'shape': \(([^)]*)\)/)[1].split(",").filter((x) => x.trim()).map(Number);
    const [bits, big] = [8 * width, width > 4 ? "Big" : ""];
    const getter = { f2: "getUint16", f4: "getFloat32", f8: "getFloat64", b1: "getUint8" }[kind + width]
      ?? { i: `get${big}Int${bits}`, u: `get${big}Uint${bits}` }[kind];
    const count = shape.reduce((a, b) => a * b, 1);
    const bytesEach = kind === "U" ? 4 * width : Number(width);
    if (view.byteLength < start + size + count * bytesEach) refuse(`${name} is cut short: it promises ${count} values`);
    const place = (i) => start + size + i * bytesEach;
    if (kind === "U") {
      const letters = (i) => Array.from({ length: Number(width) }, (_, k) => view.getUint32(place(i) + 4 * k, order !== ">"));
      return { shape, values: Array.from({ length: count }, (_, i) => String.fromCodePoint(...letters(i).filter(Boolean))) };
    }
    if (!getter) refuse(`${name} contains values of the type ${kind}${width}; save it after .astype('float32')`);
    const little = order !== ">";
    const value = kind + width === "f2" ? half : Number;
    let values = Float64Array.from({ length: count }, (_, i) => value(view[getter](place(i), little)));
    if (/'fortran_order': True/.test(header) && shape.length === 2) {
      const [n, d] = shape;
      values = values.map((_, at) => values[(at % d) * n + Math.floor(at / d)]);
    }
    return { shape, values, whole: "iu".includes(kind) };
  }

  // A number of half precision, from its bits.
  function half(bits) {
    const [power, rest] = [(bits >> 10) & 31, bits & 1023];
    const size = power === 31 ? (rest ? NaN : Infinity) : power ? (1024 + rest) * 2 ** (power - 25) : rest * 2 ** -24;
    return bits >> 15 ? -size : size;
  }

  // The matrix of an archive, and the ids beside it.
  async function npz(bytes, name) {
    const arrays = {};
    const view = new DataView(bytes.buffer);
    let end = bytes.length - 22;
    while (end > 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
    if (end <= 0) refuse(`${name} is cut short`);
    let at = view.getUint32(end + 16, true);
    for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
      const [method, title, extra, note] = [10, 28, 30, 32].map((k) => view.getUint16(at + k, true));
      const size = view.getUint32(at + 20, true);
      const from = view.getUint32(at + 42, true);
      const key = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + title)).replace(/\.npy$/, "");
      const start = from + 30 + view.getUint16(from + 26, true) + view.getUint16(from + 28, true);
      let content = bytes.subarray(start, start + size);
      if (method === 8) {
        const inflated = new Blob([content]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
        content = new Uint8Array(await new Response(inflated).arrayBuffer());
      } else if (method) refuse(`${name} is compressed by the method ${method}; save it with numpy.savez_compressed`);
      arrays[key] = npy(content, `${name}: '${key}'`);
      at += 46 + title + extra + note;
    }
    const keys = Object.keys(arrays);
    const matrices = keys.includes("vectors") ? ["vectors"] : keys.filter((key) => arrays[key].shape.length === 2);
    const held = matrices.length ? `several matrices (${matrices.join(", ")})` : "no matrix";
    if (matrices.length !== 1) refuse(`${name} contains ${held}; name the one of the embeddings 'vectors'`);
    const vectors = arrays[matrices[0]];
    const aList = ({ shape, whole, values }) => shape.length === 1 && shape[0] === vectors.shape[0] && (whole || Array.isArray(values));
    const beside = keys.filter((key) => aList(arrays[key]));
    const ids = beside.includes("ids") ? "ids" : beside.length === 1 ? beside[0] : null;
    return { vectors, ids: ids && Array.from(arrays[ids].values, String) };
  }

  // Lines that end in as many numbers: word vectors, with a first line of two counts or without, and tables, whose
  // first line may name the columns. What stands before the numbers is the id.
  function table(text, name) {
    const lines = text.replace(/^\ufeff/, "").split(/\r?\n/).filter((line) => line.trim());
    if (lines.length < 2) refuse(`${name} contains ${lines.length} line${lines.length ? "" : "s"}, and a line for each item is needed`);
    const blank = /\s+/;
    const separator = [",", ";", "\t"].find((mark) => lines[1].includes(mark)) ?? blank;
    const cells = (line) => {
      if (separator === blank) return line.trim().split(separator);
      if (!line.includes('"')) return line.split(separator);
      const quoted = new RegExp(`(?:^|${separator})("(?:[^"]|"")*"|[^${separator}]*)`, "g");
      return [...line.matchAll(quoted)].map(([, cell]) => cell.replace(/^"|"$/g, "").replaceAll('""', '"'));
    };
    const isNumber = (cell) => cell.trim() !== "" && Number.isFinite(Number(cell));
    const [head, first] = [cells(lines[0]), cells(lines[1])];
    let d = first.slice().reverse().findIndex((cell) => !isNumber(cell));
    if (d < 0) d = first.length;
    const counts = head.length === 2 && head.every((cell) => /^\d+$/.test(cell)) && first.length > 2 ? head.map(Number) : null;
    const titled = !counts && !head.slice(-d).every(isNumber);
    if (d && d === first.length) {
      // whole numbers that do not repeat, before fractions, are ids
      const numbers = lines.slice(counts || titled ? 1 : 0).map((line) => cells(line));
      const own = new Set(numbers.map((row) => row[0]));
      const fractions = numbers.some((row) => row.slice(1).some((cell) => !Number.isInteger(Number(cell))));
      if (own.size === numbers.length && fractions && (counts || numbers.every((row) => Number.isInteger(Number(row[0]))))) d -= 1;
      const plays = `${name} contains ${d} whole numbers a line, as who played what does`;
      if (!fractions && d < 4) refuse(`${plays}; this page reads embeddings, and spiky report reads both`);
    }
    if (counts && counts[1] < d) d = counts[1];
    if (d < 2) refuse(`${name}: a line must end in the numbers of an item, and the second ends in '${first.at(-1)}'`);
    const rows = lines.slice(counts || titled ? 1 : 0);
    if (counts && counts[0] !== rows.length) refuse(`${name} is cut short: it promises ${counts[0]} vectors and contains ${rows.length}`);
    const values = new Float64Array(rows.length * d);
    const ids = rows.map((line, i) => {
      const row = cells(line);
      const before = row.length - d;
      // an id may hold spaces, but no other separator
      if (before < 0 || (separator !== blank && before !== first.length - d)) {
        refuse(`${name}: row ${i} has ${row.length} cells, and the first ${first.length}`);
      }
      for (let k = 0; k < d; k += 1) {
        if (!isNumber(row[before + k])) refuse(`${name}: row ${i} contains '${row[before + k]}', which is not a number`);
        values[i * d + k] = Number(row[before + k]);
      }
      return row.slice(0, before).join(" ") || `${i}`;
    });
    return { vectors: { shape: [rows.length, d], values }, ids };
  }

  // Of an embedding in any basis what a report says of it: a generator that yields { doing, share } and returns the
  // result. To call it spiky a baseline's cover need not be followed beyond twice the peaks of the data.
  function* analysing(E, names) {
    const { n, d } = E;
    yield { doing: "Turning to the principal axes", share: 0 };
    const { norm, top } = measured(E, d);
    const sorted = norm.filter((x) => x > 0).sort();
    const longest = norm.indexOf(top);
    const timesMiddle = top / ((sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2);
    if (timesMiddle > 1e8) {
      const long = `the row of ${names[longest]} is ${timesMiddle.toExponential(0)} times as long as the middle one`;
      throw new Error(`${long}, so that beside it the others are zero; leave it out, or correct it`);
    }
    const zero = norm.filter((x) => x <= ZERO * top).length;
    const read = { n, d, longest: names[longest], timesMiddle, repeated: repeats(E), mean: ofMean(E), zero };
    const columns = Math.min(d, n); // those beyond the number of rows are zero
    const P = principal(E, Math.min(columns, RANKS.at(-1)));
    const fs = RANKS.filter((f) => f <= columns);
    const ranks = [];
    for (const f of fs.length ? fs : [columns]) {
      yield { doing: `Finding spikes in ${f} dimensions`, share: 0.02 };
      ranks.push({ f, ...cover(P, { f }), lowest: {}, cut: {} });
    }
    const result = { read, ranks, spikes: largest(P, ranks[0], names), rays: raysOf(P, ranks[0], names) };
    for (const rank of ranks) rank.peaks = rank.peaks.length;
    const draw = nullsOf(P);
    yield* followed(draw, n, ranks, (rank) => 2 * rank.peaks, 0.05, 0.6);
    const { held, at } = decided(n, ranks);
    if (held.length && n <= 10000) { // how many times as many, the sentence says
      Object.assign(at, { lowest: {}, cut: {} });
      yield* followed(draw, n, [at], () => Infinity, 0.6, 1);
    }
    for (const rank of ranks) { delete rank.spike; delete rank.captured; }
    const sentence = verdict(n, fs.length ? ranks : [], columns);
    return { ...result, verdict: [sentence, ...cautions(read)].join(" ") };
  }

  // Five draws of each baseline into `lowest` of some ranks. A cover stops above the lowest so far, and above the most
  // that count.
  function* followed(draw, n, ranks, mostOf, from, to) {
    const draws = 5;
    for (let seed = 0; seed < draws; seed += 1) {
      const doing = `Baselines, draw ${seed + 1} of ${draws}`;
      const upTo = (share) => ({ doing, share: from + ((to - from) * (seed + share)) / draws });
      yield upTo(0);
      // the lowest of all counts, so the nearest, mostly one of the last, first: the others stop where it did
      const drawn = Object.entries(draw(seed)).reverse();
      let done = 0;
      for (const rank of ranks) {
        for (const [name, rows] of drawn) {
          const limit = Math.min(mostOf(rank), ...Object.values(rank.lowest));
          done += 1;
          // no rows need more than half of n peaks: where that is less than twice as many, one draw says how many
          if (seed && 4 * rank.peaks > n + 1) continue;
          const steps = covering(rows, { f: rank.f, limit });
          let step = steps.next();
          for (; !step.done; step = steps.next()) yield upTo((done - 1 + step.value) / ranks.length / drawn.length);
          // a count above its limit only says that there are more
          const peaks = Math.min(step.value.peaks.length, limit + 1);
          if (peaks >= (rank.lowest[name] ?? Infinity)) continue;
          rank.lowest[name] = peaks;
          rank.cut[name] = peaks > limit;
        }
      }
    }
  }

  // Rows that repeat another.
  function repeats({ data, n, d }) {
    const compare = (i, j) => {
      for (let k = 0; k < d; k += 1) if (data[i * d + k] !== data[j * d + k]) return data[i * d + k] - data[j * d + k];
      return 0;
    };
    const order = Int32Array.from({ length: n }, (_, i) => i).sort(compare);
    return order.filter((i, at) => at && compare(order[at - 1], i) === 0).length;
  }

  // Share of the mean of all rows in their squares.
  function ofMean({ data, n, d }) {
    const mean = new Float64Array(d);
    for (let i = 0; i < data.length; i += 1) mean[i % d] += data[i] / n;
    return (n * product(mean, mean)) / product(data, data);
  }

  const shownSpikes = 8;
  const bySize = ({ peaks, spike }) => {
    const size = new Int32Array(peaks.length);
    for (const k of spike) if (k >= 0) size[k] += 1;
    return { size, order: Array.from(size.keys()).sort((a, b) => size[b] - size[a] || a - b).slice(0, shownSpikes) };
  };

  // The spikes with most rows: peak, number of items, and the longest of the others.
  function largest(P, rank, names) {
    const { size, order } = bySize(rank);
    const { norm } = measured(P, rank.f);
    return order.map((k) => {
      const members = Array.from(rank.spike.keys()).filter((i) => rank.spike[i] === k && i !== rank.peaks[k]);
      members.sort((i, j) => norm[j] - norm[i] || i - j);
      return { peak: names[rank.peaks[k]], items: size[k], members: members.slice(0, 4).map((i) => names[i]) };
    });
  }

  // What rays.js draws: the longest rows, and others at even steps.
  function raysOf(P, rank, names, most = 3000, dims = 6) {
    const { norm } = measured(P, P.d);
    const order = Array.from(norm.keys()).sort((i, j) => norm[j] - norm[i] || i - j);
    const long = Math.floor(most / 3);
    const step = Math.max(1, (P.n - long) / (most - long));
    const rows = order.slice(0, long);
    for (let at = long; at < P.n; at += step) rows.push(order[Math.floor(at)]);
    const { order: chosen } = bySize(rank);
    const reach = rows.map((i) => length(P.data.subarray(i * P.d, i * P.d + Math.min(3, P.d)))).sort((a, b) => a - b);
    const by = 1 / (reach[Math.floor(0.995 * (reach.length - 1))] || 1);
    const point = (i) => Array.from({ length: dims }, (_, k) => (k < P.d ? P.data[i * P.d + k] * by : 0));
    return {
      points: rows.map(point),
      spike: rows.map((i) => chosen.indexOf(rank.spike[i])),
      names: rows.map((i) => names[i]),
      peaks: chosen.map((k) => names[rank.peaks[k]]),
    };
  }

  // Read and measure a file; `tell` hears how far it is, and may be waited for.
  async function measure(file, tell) {
    await tell({ doing: "Reading", share: 0 });
    const { E, names } = await read(file);
    const steps = analysing(E, names);
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
      await tell(value);
    }
  }

  return { read, analysing, measure };
}

if (typeof module !== "undefined") {
  module.exports = dropModule(require("./spiky.js"));
} else {
  const { COLOURS } = rays;

  // Start on a file: { result, stop }. A worker is made of the text of the modules, as one page may not load another
  // file where both are files.
  const start = (file, tell) => {
    let stop;
    const result = new Promise((resolve, reject) => {
      stop = () => reject(new Error("Stopped."));
      const inSlices = () => {
        let [stopped, since] = [false, performance.now()];
        const end = stop;
        stop = () => { stopped = true; end(); };
        const pausing = async (step) => {
          if (performance.now() - since < 25) return;
          tell(step);
          await new Promise((go) => setTimeout(go));
          if (stopped) throw new Error("Stopped.");
          since = performance.now();
        };
        dropModule(spiky).measure(file, pausing).then(resolve, reject);
      };
      try {
        const text = `const spiky = (${spikyModule})();
          onmessage = ({ data }) => (${dropModule})(spiky).measure(data, (step) => postMessage({ step }))
            .then((result) => postMessage({ result }), (error) => postMessage({ error: error.message }));`;
        const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
        const worker = new Worker(address);
        const end = stop;
        stop = () => { worker.terminate(); end(); };
        worker.onmessage = ({ data }) => {
          if (data.step) return tell(data.step);
          worker.terminate();
          URL.revokeObjectURL(address);
          return data.error ? reject(new Error(data.error)) : resolve(data.result);
        };
        worker.onerror = (event) => { event.preventDefault(); worker.terminate(); inSlices(); };
        worker.postMessage(file);
      } catch {
        inSlices();
      }
    });
    return { result, stop: () => stop() };
  };

  const add = (parent, tag, properties = {}) => parent.appendChild(Object.assign(document.createElement(tag), properties));

  const rows = (parent, head, lines) => {
    const box = add(parent, "div", { className: "play-wide", tabIndex: 0, role: "region", ariaLabel: head[0] });
    const made = add(box, "table");
    const line = (to, cells, tag) => {
      const row = add(to, "tr");
      for (const textContent of cells) add(row, tag, { textContent });
      return row;
    };
    line(add(made, "thead"), head, "th");
    const body = add(made, "tbody");
    return lines.map((cells) => line(body, cells, "td"));
  };

  const show = (box, name, { verdict, read, ranks, spikes, rays: drawn }) => {
    const { whole } = spiky;
    const percent = (count) => `${((100 * count) / read.n).toPrecision(3)} %`;
    add(box, "p", { className: "play-verdict", textContent: verdict });
    const zero = read.zero ? `, ${whole(read.zero)} of them all zeros` : "";
    const repeat = read.repeated ? `, ${whole(read.repeated)} that repeat another` : "";
    add(box, "p", { textContent: `Read from ${name}: ${whole(read.n)} rows of ${read.d} dimensions${zero}${repeat}.` });
    const baselines = Object.keys(spiky.BASELINES).filter((key) => key in ranks[0].lowest);
    const head = ["Dimensions", "Directions", "Spk", ...baselines.map((key) => `Baseline: ${spiky.BASELINES[key]}`)];
    rows(box, head, ranks.map(({ f, peaks, lowest, cut }) => [
      f, whole(peaks), percent(peaks), ...baselines.map((key) => (cut[key] ? `more than ${whole(lowest[key] - 1)}` : whole(lowest[key]))),
    ]));
    add(box, "p", { className: "play-note", textContent: "Directions that capture half of the items; of each baseline the lowest of five draws. A draw is not followed beyond twice the directions of your data, or where the sentence says how many times as many, beyond the lowest so far." });
    const frame = add(box, "div", { className: "rays" });
    const items = `${whole(drawn.names.length)} of ${whole(read.n)} items as points around the origin`;
    frame.dataset.label = `${items}; colours are the largest spikes in ${ranks[0].f} dimensions`;
    rays(frame, { ...drawn, colours: COLOURS });
    const lines = spikes.map((spike) => [spike.peak, `${whole(spike.items)} (${percent(spike.items)})`, spike.members.join("; ")]);
    const made = rows(box, [`Largest spikes in ${ranks[0].f} dimensions: peak`, "Items", "Among them"], lines);
    made.forEach((row, k) => { row.cells[0].prepend(Object.assign(document.createElement("i"), { style: `background:${COLOURS[k]}` })); });
  };

  document.querySelectorAll(".spiky-drop").forEach((box) => {
    box.classList.add("live");
    const zone = add(box, "div", { className: "play-zone" });
    const label = add(zone, "label", { textContent: "Drop a file here, or choose one: " });
    const input = add(label, "input", { type: "file", accept: ".npy,.npz,.csv,.tsv,.txt,.vec" });
    const bar = add(box, "progress", { max: 1, hidden: true, ariaLabel: "Progress" });
    const button = add(box, "button", { type: "button", textContent: "Stop", hidden: true });
    const state = add(box, "p", { className: "play-state", role: "status" });
    const found = add(box, "div", { className: "play-found" });
    let running = null;
    const work = async (file) => {
      running?.stop();
      found.replaceChildren();
      let told = "";
      const mine = start(file, ({ doing, share }) => {
        if (running !== mine) return;
        bar.value = share;
        if (doing !== told) state.textContent = `${doing} ...`;
        told = doing;
      });
      running = mine;
      bar.value = 0;
      bar.hidden = button.hidden = false;
      state.classList.remove("play-wrong");
      try {
        const result = await mine.result;
        if (running !== mine) return;
        state.textContent = "Done. Nothing left this page.";
        show(found, file.name, result);
      } catch (error) {
        if (running !== mine) return;
        state.textContent = error.message;
        state.classList.toggle("play-wrong", error.message !== "Stopped.");
      }
      bar.hidden = button.hidden = true;
      input.value = "";
    };
    button.addEventListener("click", () => running.stop());
    input.addEventListener("change", () => input.files.length && work(input.files[0]));
    zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("play-over"); });
    zone.addEventListener("dragleave", () => zone.classList.remove("play-over"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      zone.classList.remove("play-over");
      if (event.dataTransfer.files.length) work(event.dataTransfer.files[0]);
    });
  });
}
