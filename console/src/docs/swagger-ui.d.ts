/** What the page uses of Swagger UI, which has no types of its own. */
declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  /** A request before it is sent. Swagger UI sends it by `userFetch`. */
  export interface ViewerRequest {
    headers: Record<string, string>;
    userFetch?: (url: string, init: RequestInit) => Promise<Response>;
  }

  interface System {
    React: { createElement: (type: unknown, props: object | null, ...children: unknown[]) => unknown };
  }

  /** Replaces components and functions by their names. */
  export type Plugin = (system: System) => {
    wrapComponents?: Record<string, (original: unknown) => unknown>;
    fn?: Record<string, unknown>;
  };

  interface Options {
    domNode: HTMLElement;
    spec: object;
    plugins: Plugin[];
    requestInterceptor: (request: ViewerRequest) => ViewerRequest;
    [option: string]: unknown;
  }

  export default function SwaggerUI(options: Options): unknown;
}
