// Calls functions of a module of the book's pages: reads [[name, ...arguments], ...] from the standard input and
// writes what each returned, an error as { error }. tests/test_playground.py compares it with Python.
const path = require("node:path");
const folder = path.join(__dirname, "..", "..", "book", "style");
const known = { ...require(path.join(folder, "spiky.js")), ...require(path.join(folder, "drop.js")) };
known.draws = (seed, n) => {
  const { uniform, normal } = known.generator(seed);
  return { uniform: Array.from({ length: n }, uniform), normal: Array.from({ length: n }, normal) };
};
known.nulls = (E, seed) => known.nullsOf(E)(seed);
known.analysis = (E, names) => {
  const steps = known.analysing(E, names);
  for (;;) { const { done, value } = steps.next(); if (done) return value; }
};
known.file = (name, base64) => known.read(new File([Buffer.from(base64, "base64")], name));

const given = (value) => {
  if (value?.data) return { ...value, data: Float64Array.from(value.data) };
  return value?.vectors ? { ...value, vectors: given(value.vectors) } : value;
};
const plain = (key, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
(async () => {
  const calls = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  const found = [];
  for (const [name, ...args] of calls) {
    try { found.push(await known[name](...args.map(given))); } catch (error) { found.push({ error: error.message }); }
  }
  process.stdout.write(JSON.stringify(found, plain));
})();
