/** The colour scheme: the system's, or the one that the reader chose in this browser. */

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

export function chosenTheme(): Theme {
  return THEMES.find((theme) => theme === localStorage.getItem("theme")) ?? "system";
}

export function applyTheme(theme: Theme = chosenTheme()): void {
  localStorage.setItem("theme", theme);
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}
