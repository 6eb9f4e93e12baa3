import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/layout.css";

import { mount } from "svelte";

import App from "./App.svelte";
import { sendOnceAtDoubleClick } from "./lib/double_click";
import { applyTheme } from "./lib/theme";

applyTheme();
sendOnceAtDoubleClick();
mount(App, { target: document.getElementById("app")! });
