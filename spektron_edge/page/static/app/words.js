// All words of the page, from text/<language>.json: a flat object of key -> sentence with {holes}.

// Those that text/ holds; what a browser asks for and none of them is, it gets in the first.
const LANGUAGES = ["en"];
let table = {};

export async function loadWords(language = languageOf(navigator.languages)) {
  document.documentElement.lang = language;
  const answer = await fetch(`text/${language}.json`);
  if (!answer.ok) throw new Error(`text/${language}.json: ${answer.status}`);
  setWords(await answer.json());
}

// The first of those wanted that there is; "de-CH" is content with "de".
export function languageOf(wanted, held = LANGUAGES) {
  const plain = wanted.flatMap((tag) => [tag, tag.split("-")[0]]).map((tag) => tag.toLowerCase());
  return plain.find((tag) => held.includes(tag)) ?? held[0];
}

export function setWords(words) {
  table = words;
}

// The sentence of a key. A key without words shows itself, so that nothing goes silent.
export function t(key, holes = {}) {
  return fill(table[key] ?? key, holes);
}

// Words for a code from an open list; null where nothing is known of it.
export function known(kind, name) {
  return table[`${kind}.${name}`] ?? null;
}

export function fill(sentence, holes) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in holes ? String(holes[name]) : whole));
}
