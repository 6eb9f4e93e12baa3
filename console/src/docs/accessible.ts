/** A plugin of Swagger UI that names its fields and takes links out of its buttons. */

import type { Plugin } from "swagger-ui-dist/swagger-ui-es-bundle.js";

type Props = Record<string, unknown>;

export const accessible: Plugin = ({ React }) => {
  /** Put a component into a label, whose text is a property of the component or fixed. */
  const labelled = (text: (props: Props) => unknown) => (Original: unknown) => (props: Props) =>
    React.createElement(
      "label",
      null,
      React.createElement("span", { className: "sr-only" }, text(props)),
      React.createElement(Original, props),
    );
  return {
    wrapComponents: {
      JsonSchemaForm: labelled(({ description }) => description),
      RequestBodyEditor: labelled(() => "Request body"),
      ExamplesSelect: labelled(() => "Example"),
      DeepLink: () => (props: Props) => React.createElement("span", null, props["text"]),
    },
  };
};
