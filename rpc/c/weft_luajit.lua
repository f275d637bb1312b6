-- libweft.so for LuaJIT: local weft = require("weft_luajit").load(LIBRARY, HEADER)
-- gives the functions of weft.h as they are (weft.weft_call, …, and weft.WEFT_OK, …); HEADER is where weft.h is.
local ffi = require("ffi")

local function load(library, header)
  local file = assert(io.open(header, "r"))
  local text = file:read("*a")
  file:close()
  text = text:gsub("/%*.-%*/", ""):gsub("#if defined%(__cplusplus%).-#endif", ""):gsub("#[^\n]*", ""):gsub("WEFT_API ", "")
  ffi.cdef(text)
  return ffi.load(library)
end

return { load = load }
