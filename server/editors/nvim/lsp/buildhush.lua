---@brief
---
--- Finds and fixes build-secret leaks in Dockerfiles by following the secret itself.
---
--- `buildhush` can be installed with `pipx install buildhush` or `uv tool install buildhush`.
---
--- Settings are those of `.buildhush.toml`, with names in camel case. Where another server checks the names of build
--- arguments already, leave that to it:
---
--- ```lua
--- vim.lsp.config('buildhush', {
---   settings = {
---     buildhush = { ignore = { 'secret-in-arg', 'secret-in-env' } },
---   },
--- })
--- ```

---@type vim.lsp.Config
return {
  cmd = { 'buildhush', 'lsp' },
  filetypes = { 'dockerfile' },
  root_markers = { '.buildhush.toml', '.dockerignore', '.git' },
  settings = { buildhush = {} },
}
