/** Downloads by a link to another origin, such as the bucket's. */

/** Milliseconds within which the browser reports the navigation to a download as leaving the page. */
const NAVIGATION_MS = 2_000;

let isStarting = false;

/** Download what a link returns as an attachment. The page stays. */
export function download(url: string, filename = ""): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  isStarting = true;
  setTimeout(() => (isStarting = false), NAVIGATION_MS);
  link.click();
}

/** Download a small text. */
export function downloadText(text: string, filename: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  download(url, filename);
  setTimeout(() => URL.revokeObjectURL(url), NAVIGATION_MS);
}

/** Let the browser ask before the page is left while `isBusy`. A download does not leave the page. */
export function askBeforeLeaving(isBusy: () => boolean): void {
  addEventListener("beforeunload", (event) => {
    if (isBusy() && !isStarting) event.preventDefault();
  });
}
