// Views by their names in the address: #/now.

export const ROUTES = ["now", "history", "instrument", "transfer", "adaptation", "bundles", "records", "qualification", "audit", "users", "support"];
// At the bottom of a narrow screen; the rest is behind "more".
export const FIRST = ROUTES.slice(0, 4);

export function routeOf(hash) {
  const name = hash.replace(/^#\/?/, "").split("?")[0];
  return ROUTES.includes(name) ? name : ROUTES[0];
}
