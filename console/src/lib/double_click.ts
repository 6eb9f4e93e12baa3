/** Let the second click of a double click send no form: the first may have been answered already. */
export function sendOnceAtDoubleClick(): void {
  document.addEventListener("click", (event) => {
    if (event.detail > 1 && event.target instanceof HTMLButtonElement && event.target.type === "submit")
      event.preventDefault();
  });
}
