/** Where the tokens of an account are good. */
export interface BaseUrls {
  /** For the access token of a ChatGPT login. */
  readonly chatgpt: string;
  /** For an API key or a personal access token. */
  readonly platform: string;
}

/** What Codex uses (facts 4.1). */
export const CODEX_BASE_URLS: BaseUrls = {
  chatgpt: 'https://chatgpt.com/backend-api/codex',
  platform: 'https://api.openai.com/v1',
};
