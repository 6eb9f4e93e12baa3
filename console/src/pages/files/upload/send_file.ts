/** Send a file to the bucket by a presigned POST. */

import { ApiError, UNREACHABLE } from "../../../api/problem";
import type { Grant } from "./grants";

/**
 * Resolve when the bucket has the file. fetch() reports no progress of an upload, so this is an XMLHttpRequest.
 * Throws ApiError, also when `signal` aborts the request.
 */
export function sendFile(
  grant: Grant,
  file: File,
  onprogress: (sent: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const form = new FormData();
  for (const [name, value] of Object.entries(grant.fields)) form.append(name, value);
  form.append("file", file); // S3 ignores the fields after the file

  const request = new XMLHttpRequest();
  request.open("POST", grant.url);
  request.upload.onprogress = ({ loaded }) => onprogress(Math.min(loaded, file.size));
  signal.addEventListener("abort", () => request.abort());
  return new Promise((resolve, reject) => {
    request.onload = () => (request.status < 300 ? resolve() : reject(refusal(request)));
    request.onabort = () => reject(failure("The upload was cancelled."));
    request.onerror = () =>
      reject(
        failure(
          "The connection was lost, or the file changed on the disk. Try again: the file is sent from its beginning.",
        ),
      );
    request.send(form);
  });
}

/** Return the error for a response of S3, whose body is XML. */
function refusal(request: XMLHttpRequest): ApiError {
  const xml = new DOMParser().parseFromString(request.responseText, "application/xml");
  const message = xml.querySelector("Message")?.textContent ?? `status ${request.status}`;
  return failure(`The bucket refused the file: ${message}`, request.status);
}

function failure(detail: string, status = UNREACHABLE): ApiError {
  return new ApiError({ type: "about:blank", title: "Upload failed", status, detail, instance: "" });
}
