// All words of the page, from text/<language>.json: a flat object of key -> sentence with {holes}.

let table = {};

export async function loadWords(language = "en") {
  const answer = await fetch(`text/${language}.json`);
  if (!answer.ok) throw new Error(`text/${language}.json: ${answer.status}`);
  setWords(await answer.json());
}

export function setWords(words) {
  table = words;
}

// The sentence of a key. A key without words shows itself, so that nothing goes silent.
export function t(key, holes = {}) {
  return fill(table[key] ?? key, holes);
}

// Words for a code from an open list (faults, reasons); the code in plain letters where there are none.
export function code(kind, name) {
  return table[`${kind}.${name}`] ?? String(name).replaceAll("_", " ");
}

// The same; null where nothing is known of the code.
export function known(kind, name) {
  return table[`${kind}.${name}`] ?? null;
}

export function fill(sentence, holes) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in holes ? String(holes[name]) : whole));
}
