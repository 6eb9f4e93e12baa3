/**
 * Ignore the second click of a double click on a submit button. If the response to the first click has
 * already arrived, the button is enabled again, and the form would be sent twice.
 */
export function sendOnceAtDoubleClick(): void {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (event.detail > 1 && button?.type === "submit") event.preventDefault();
  });
}
